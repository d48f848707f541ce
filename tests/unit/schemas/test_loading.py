"""Reading a project file: what is accepted, and for each kind of fault the place and the words."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.project import durations
from schemas.project.findings import ProjectFileError
from schemas.project.loading import load
from schemas.project.model import Column, Function, Join, ManualUntil, Mode, Priority
from tests.unit.schemas.projects import ENVIRONMENT, WHOLE, changed, loaded, refusal, written


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    contact = found.project.entities["contact"]
    assert found.project.kafka.bootstrap == "127.0.0.1:9092"
    assert found.project.systems["erp"].options == {"dsn": "postgresql://u:s3cret@h/db"}
    assert contact.match == ("email",)
    assert contact.fields["phone"].on_conflict == Priority(priority=["crm", "erp"])
    assert contact.systems["crm"].map["name"] == Join(join=["first_name", "last_name"])
    assert contact.systems["erp"].map["email"] == Column(column="mail")
    assert (contact.on_delete.policy, contact.on_delete.modes) == ("manual", {"erp": Mode("ignore")})
    assert found.digest == hashlib.sha256(WHOLE.encode()).hexdigest()
    assert found.warnings == ()


def test_a_template_that_names_a_secret_is_none(tmp_path: Path) -> None:
    found = loaded(tmp_path, changed('dsn: "${env:CRM_DSN}"', 'login: {password: "{{ password }}"}'))
    assert found.project.systems["crm"].options == {"login": {"password": "{{ password }}"}}


@pytest.mark.parametrize(
    "setting", ["auth: {type: jwt, key: KEY}", "webhook: {signature: {scheme: slack, secrets: [KEY]}}"]
)
def test_keys_and_lists_of_secrets_do_not_belong_in_the_file_either(tmp_path: Path, setting: str) -> None:
    with pytest.raises(ProjectFileError, match="a secret does not belong in this file"):
        loaded(tmp_path, changed('dsn: "${env:CRM_DSN}"', setting.replace("KEY", "hunter2")))
    loaded(tmp_path, changed('dsn: "${env:CRM_DSN}"', setting.replace("KEY", '"${env:CRM_DSN}"')))


def test_positions_count_from_one(tmp_path: Path) -> None:
    positions = loaded(tmp_path).positions
    assert positions.key(("entities", "contact")) == (7, 3)
    assert positions.value(("systems", "crm", "dsn")) == (4, 35)
    assert positions.value(("entities", "contact", "identity", "match", 0)) == (8, 24)
    assert positions.value(("entities", "contact", "not", "there")) == (7, 3)


FAULTS: list[tuple[str, str, str, str]] = [
    # what is changed, into what, where it is reported, in which words
    ("pipeline: shop", "pipelin: shop", "1:1: pipelin", 'no such key; did you mean "pipeline"?'),
    ("pipeline: shop\n", "", "1:1: pipeline", "is missing"),
    ("pipeline: shop", "pipeline: Shop!", "1:11: pipeline", "names are lower-case letters, digits and _, "),
    ("connector: postgres", "connector: My-Shop", "4:20: systems.crm.connector", "lower-case letters, digits, _ and -"),
    ("${env:CRM_DSN}", "${env:CRM_DNS}", "4:35: systems.crm.dsn",
     'environment variable CRM_DNS is not set; did you mean "CRM_DSN"?'),
    ("${file:secret}", "${file:missing}", "5:35: systems.erp.dsn", "file missing cannot be read"),
    ("${env:CRM_DSN}", "${CRM_DSN}", "4:35: systems.crm.dsn", "is no reference; write ${env:CRM_DSN}"),
    ("${file:secret}", "hunter2", "5:35: systems.erp.dsn", "a secret does not belong in this file"),
    ("    on_delete", "    identity: key\n    on_delete", "16:5: entities.contact.identity",
     "written twice, first in line 8"),
    ("email: mail", "emial: mail", "32:11: entities.contact.systems.erp.map.emial",
     'no such field; did you mean "email"?'),
    ("      erp:\n", "      epr:\n", "29:7: entities.contact.systems.epr", 'no such system; did you mean "erp"?'),
    ("match: [email]", "match: [mail]", "8:24: entities.contact.identity.match[0]", "no such field; did you mean"),
    ("required: true, ", "", "8:24: entities.contact.identity.match[0]", "must be required; add required: true"),
    ("email: email\n", "email: {column: email, direction: out}\n", "20:9: entities.contact.systems.crm.map",
     "never reads it"),
    ("owner: erp", "owner: epr", "12:38: entities.contact.fields.credit.owner", 'did you mean "erp"?'),
    ("[crm, erp]", "[crm, epr]", "13:45: entities.contact.fields.phone.on_conflict.priority[1]", 'mean "erp"?'),
    ("on_conflict: manual", "on_conflict: mannual", "15:53: entities.contact.fields.address.on_conflict",
     'must be newest, manual, sum or union; did you mean "manual"?'),
    ("type: decimal", "type: decimals", "12:22: entities.contact.fields.credit.type", 'did you mean "decimal"?'),
    ("owner: erp", "owner: erp, on_conflict: newest", "12:7: entities.contact.fields.credit",
     "owner and on_conflict exclude each other"),
    ("type: decimal", "places: 2", "12:7: entities.contact.fields.credit", "places is for decimal fields"),
    ("erp: ignore", "erp: ignor", "16:22: entities.contact.on_delete.erp",
     'must be remove, ignore or archive; did you mean "ignore"?'),
    ("erp: ignore", "erp: ignore, brake: {share: 5}", "16:45: entities.contact.on_delete.brake.share",
     "must be at most 1"),
    ("erp: ignore", "erp: ignore, brake: {share: 0}", "16:45: entities.contact.on_delete.brake.share",
     "must be more than 0"),
    ("erp: ignore", "erp: ignore, brake: {count: 0}", "16:45: entities.contact.on_delete.brake.count",
     "must be at least 1"),
    ("erp: ignore", "erp: ignore, brake: {windw: 1h}", "16:38: entities.contact.on_delete.brake.windw",
     'no such key; did you mean "window"?'),
    ("erp: ignore", "erp: ignore, tombstones: 90", "16:42: entities.contact.on_delete.tombstones",
     "must be a duration: a whole number and s, m, h or d, such as 30s"),
    ("erp: ignore", "epr: ignore", "16:17: entities.contact.on_delete.epr", 'did you mean "erp"?'),
    (", city: town", "", "37:11: entities.contact.systems.erp.map.address", "has no column for city"),
    ("{street: addr1, city: town}", "address1", "37:20: entities.contact.systems.erp.map.address",
     "is a group; map each of its members; write {street: …, city: …}"),
    ("city: city", "town: city", "26:37: entities.contact.systems.crm.map.address.town", "no such member"),
    ("{street: addr1, city: town}", "{street: addr1, city: addr1}", "37:42: ",
     "column addr1 is already taken by address.street"),
    ("name: full_name", "name: mail", "33:17: entities.contact.systems.erp.map.name",
     "column mail is already taken by email"),
    ("kind: person}\n", "phone: person}\n", "27:21: entities.contact.systems.crm.constants.phone",
     "column phone is already mapped to phone"),
    ("{home: H, work: W}", "{home: H, work: H}", "24:58: ", "has the code of home"),
    ("{home: H, work: W}", "{home: 01, work: W}", "24:49: ", 'loses its zeros; write "01" in quotes'),
    ('"%d.%m.%Y"', '"%d.%m."', "25:40: entities.contact.systems.crm.map.born.format", "leaves out part of the date"),
    ("credit: credit\n", "credit: {column: credit, zone: Mars}\n", "34:36: ", "is for fields of type date or datetime"),
    ("born: birth", "born: {column: birth, zone: Europe/Berlim}", "36:39: ", 'did you mean "Europe/Berlin"?'),
    ("born: birth", "born: {colum: birth}", "36:17: entities.contact.systems.erp.map.born", "is no group"),
    ("born: birth", "born: {column: birth, formt: iso}", "36:33: ", 'no such key; did you mean "format"?'),
    ("name: full_name", "name: {split: full_name}", "33:17: ", "make name a group"),
    ("[first_name, last_name]", "[first_name]", "22:24: ", "must have at least 2 entries"),
    ("equals: person", "equals: person, one_of: [a]", "28:18: entities.contact.systems.crm.filter[0]",
     "either equals or one_of"),
    ("kafka: {", "kafka: {sasl_username: x, ", "2:1: kafka", "would be ignored with security_protocol PLAINTEXT"),
    ("kafka: {", "kafka: {partitions: many, ", "2:21: kafka.partitions", "must be a whole number"),
    ("kafka: {", "kafka: {partitions: 0, ", "2:21: kafka.partitions", "must be at least 1"),
    ("table: customers", "table: [customers]", "30:16: entities.contact.systems.erp.table", "must be text"),
    ("      name: {}\n", "      version: {}\n      name: {}\n", "11:7: entities.contact.fields.version",
     "the golden record uses this name"),
    ("      name: {}\n", "      name: !odd x\n", "11:13: entities.contact.fields.name",
     "the tag !odd is not supported"),
    ("systems:\n", "systems: [\n", "5:3: ", "not valid YAML"),
    ("systems:\n", "systems:\n  brake: {connector: memory}\n", "4:3: systems.brake", "its own in on_delete"),
    ("systems:\n", "systems:\n  epoch: {connector: memory}\n", "4:3: systems.epoch", "a meaning of its own in the"),
    ("name: {}", "name: {on_conflict: sum}", "11:27: entities.contact.fields.name.on_conflict",
     "sum is for single fields of type integer, decimal or float, and this one is of type string; give the field"),
    ("name: {}", "name: {on_conflict: union}", "11:27: entities.contact.fields.name.on_conflict",
     "union is for single fields of type list, and this one is of type string"),
    ("on_conflict: manual}", "on_conflict: union, type: list}", "15:53: entities.contact.fields.address.on_conflict",
     "this one is a group of list"),
    ("phone: {on_conflict: {priority: [crm, erp]}}", "phone: {type: integer, on_conflict: sum}",
     "13:43: entities.contact.fields.phone.on_conflict", "crm maps this field by a table of values"),
    ("name: {}", "name: {on_conflict: {manual: {deadline: 3d, then: manual}}}",
     "11:57: entities.contact.fields.name.on_conflict.manual.then", "it may not be manual"),
    ("name: {}", "name: {on_conflict: {manual: {deadline: 3d}}}",
     "11:28: entities.contact.fields.name.on_conflict.manual.then", "is missing"),
    ("name: {}", "name: {on_conflict: {manual: {deadline: 3 days, then: newest}}}",
     "11:47: entities.contact.fields.name.on_conflict.manual.deadline", "such as 30s, 5m, 2h or 3d"),
    ("name: {}", "name: {on_conflict: {manual: {deadline: 0d, then: newest}}}", "11:47: ", "longer than nothing"),
    ("name: {}", "name: {on_conflict: {manual: {deadline: 3d, then: newst}}}", "11:57: ", 'did you mean "newest"?'),
    ("name: {}", "name: {on_conflict: {manual: {deadline: 3d, then: {priority: [epr]}}}}",
     "11:69: entities.contact.fields.name.on_conflict.manual.then.priority[0]", 'did you mean "erp"?'),
    ("name: {}", "name: {on_conflict: {manul: {deadline: 3d, then: newest}}}",
     "11:28: entities.contact.fields.name.on_conflict.manul", 'no such key; did you mean "manual"?'),
    ("name: {}", "name: {on_conflict: {function: not a name}}", "11:38: ", "names are"),
    ("    on_delete", "    guard: {flips: 1}\n    on_delete", "16:20: entities.contact.guard.flips", "at least 2"),
    ("erp: ignore", "erp: {inactiv: {column: gone}}", "16:23: entities.contact.on_delete.erp.inactiv",
     'no such key; did you mean "inactive"?'),
    ("erp: ignore", "erp: {inactive: {column: gone, value: true}}",
     "16:23: entities.contact.on_delete.erp.inactive.restore", "is missing"),
    ("erp: ignore", "erp: {inactive: {column: gone, value: true, restore: true}}",
     "16:70: entities.contact.on_delete.erp.inactive.restore", "could not be told apart"),
    ("erp: ignore", "erp: {inactive: {column: town, value: x, restore: y}}",
     "16:42: entities.contact.on_delete.erp.inactive.column", "column town is mapped to address.city"),
    ("erp: ignore", "crm: {inactive: {column: kind, value: x, restore: y}}",
     "16:42: entities.contact.on_delete.crm.inactive.column", "rows of crm are filtered by kind"),
    ("erp: ignore", "crm: {inactive: {column: kind, value: x, restore: y}}", "16:42: ", "constants sets column kind"),
    ("erp: ignore", "erp: {archive: {table: gone}}", "16:40: entities.contact.on_delete.erp.archive.table",
     "named with its schema"),
    ("erp: ignore", "crm: {archive: {table: public.contacts}}", "16:40: ", "entity contact takes this table"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "place", "words"), FAULTS)
def test_each_fault_is_named_at_its_place(tmp_path: Path, old: str, new: str, place: str, words: str) -> None:
    lines = [str(finding).replace(f"{tmp_path}/", "") for finding in refusal(tmp_path, changed(old, new))]
    assert [line for line in lines if line.startswith(f"duplex.yaml:{place}") and words in line], "\n".join(lines)


def test_every_fault_is_reported_at_once(tmp_path: Path) -> None:
    text = changed("email: mail", "emial: mail").replace("owner: erp", "owner: epr").replace("city: town", "town: t")
    lines = {finding.line for finding in refusal(tmp_path, text)}
    assert {12, 32, 37} <= lines


def test_shape_faults_and_missing_secrets_are_reported_together(tmp_path: Path) -> None:
    text = changed("pipeline:", "pipelin:").replace("${env:CRM_DSN}", "${env:NOWHERE}")
    messages = [finding.message for finding in refusal(tmp_path, text)]
    assert "environment variable NOWHERE is not set" in messages
    assert "no such key" in messages


@pytest.mark.parametrize("text", ["", "  \n\n", "# nothing yet\n", "---\n", "null\n", "just words\n", "- a\n"])
def test_an_empty_file_is_refused_as_a_whole(tmp_path: Path, text: str) -> None:
    assert refusal(tmp_path, text)


@pytest.mark.parametrize("lines", [3, 6, 9, 17, 20])
def test_a_file_cut_short_is_refused_as_a_whole(tmp_path: Path, lines: int) -> None:
    assert refusal(tmp_path, "".join(WHOLE.splitlines(keepends=True)[:lines]))


def test_a_file_cut_within_a_line_is_refused(tmp_path: Path) -> None:
    assert "not valid YAML" in str(refusal(tmp_path, WHOLE[: WHOLE.index("last_name") + 3])[0])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectFileError, match=r"nowhere\.yaml:1:1: cannot be read: No such file"):
        load(tmp_path / "nowhere.yaml", ENVIRONMENT)


def test_bytes_that_are_no_text_are_placed(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_bytes(b"pipeline: shop\nkafka: \xff\n")
    with pytest.raises(ProjectFileError, match=r"duplex\.yaml:2:8: not UTF-8 text"):
        load(path, ENVIRONMENT)


def test_the_default_broker_needs_its_variable(tmp_path: Path) -> None:
    path = written(tmp_path, WHOLE.replace('kafka: {bootstrap: "${env:KAFKA_BOOTSTRAP_SERVERS}"}\n', ""))
    with pytest.raises(ProjectFileError, match=r"kafka\.bootstrap: environment variable KAFKA_BOOTSTRAP_SERVERS"):
        load(path, {"CRM_DSN": "x"})
    assert load(path, ENVIRONMENT).project.kafka.bootstrap == "127.0.0.1:9092"


def test_no_secret_is_shown_in_an_error(tmp_path: Path) -> None:
    text = changed('connector: postgres, dsn: "postgresql', 'connector: [x], dsn: "postgresql')
    text = text.replace("kafka: {", 'kafka: {sasl_password: hunter2, ssl_key_password: "${file:secret}", ')
    shown = "\n".join(map(str, refusal(tmp_path, text)))
    assert "hunter2" not in shown
    assert "s3cret" not in shown


def test_two_dollars_are_one(tmp_path: Path) -> None:
    found = loaded(tmp_path, changed("kind: person}\n", 'kind: "a$$b"}\n').replace("equals: person", "equals: x"))
    assert found.project.entities["contact"].systems["crm"].constants == {"kind": "a$b"}


def test_anchors_may_be_used_and_merge_keys_not(tmp_path: Path) -> None:
    shared = changed("{street: street, city: city}", "&a {street: street, city: city}")
    assert loaded(tmp_path, shared.replace("{street: addr1, city: town}", "*a"))
    merged = refusal(tmp_path, shared.replace("{street: addr1, city: town}", "{<<: *a}"))
    assert any("merge keys" in finding.message for finding in merged)


def test_a_file_of_endless_aliases_is_refused(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    assert "too large" in str(refusal(tmp_path, bomb)[0])


WARNINGS = [
    ("name: {}", "name: {sensitive: true}", "fields.name.sensitive: is sensitive, and decided by newest"),
    ("name: {}", "name: {sensitive: true, on_conflict: {manual: {deadline: 1h, then: newest}}}",
     "entities.contact.fields.name.on_conflict.manual.then: after its deadline, this field is sensitive"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), WARNINGS)
def test_what_may_be_and_is_risky_is_a_warning(tmp_path: Path, old: str, new: str, words: str) -> None:
    lines = [str(warning) for warning in loaded(tmp_path, changed(old, new)).warnings]
    assert any(words in line for line in lines)


@pytest.mark.parametrize("safe", ["owner: erp", "on_conflict: manual", "on_conflict: {priority: [erp]}"])
def test_a_sensitive_field_that_no_clock_decides_is_fine(tmp_path: Path, safe: str) -> None:
    assert loaded(tmp_path, changed("name: {}", f"name: {{sensitive: true, {safe}}}")).warnings == ()


def test_a_sum_that_a_system_cannot_show_is_a_warning(tmp_path: Path) -> None:
    text = changed("owner: erp}", "on_conflict: sum}").replace(
        "credit: credit\n", "credit: {column: credit, places: 2}\n"
    )
    (warning,) = loaded(tmp_path, text).warnings
    assert "erp keeps 2 decimal places" in str(warning)
    assert warning.suggestion == "give the field places: 2"


def test_policies_modes_and_lengths_of_time_are_read(tmp_path: Path) -> None:
    text = changed("name: {}", "name: {on_conflict: {manual: {deadline: 90m, then: {function: longest}}}}")
    text = text.replace(
        "on_delete: {erp: ignore, policy: manual}",
        "guard: {flips: 3, window: 30s}\n    on_delete: {erp: {inactive: {column: gone, value: true, restore: null}}, "
        "crm: {archive: {table: old.contacts}}, brake: {}, tombstones: 90d}",
    )
    contact = loaded(tmp_path, text).project.entities["contact"]
    until = contact.fields["name"].on_conflict
    assert isinstance(until, ManualUntil)
    assert (until.manual.deadline_us, until.manual.then) == (5_400_000_000, Function(function="longest"))
    assert (contact.guard.flips, contact.guard.window_us) == (3, 30_000_000)
    assert contact.on_delete.modes == {
        "erp": Mode("inactive", "gone", True, None),
        "crm": Mode("archive", table="old.contacts"),
    }
    assert contact.on_delete.brake is not None
    assert (contact.on_delete.brake.count, contact.on_delete.brake.share) == (100, 0.05)
    assert (contact.on_delete.brake.window_us, contact.on_delete.tombstones_us) == (3_600_000_000, 7_776_000_000_000)


@given(st.integers(1, 3_153_600_000))
def test_a_length_of_time_is_written_as_it_is_read(seconds: int) -> None:
    assert durations.parse(durations.text(seconds * 1_000_000)) == seconds * 1_000_000


def test_what_is_only_odd_is_a_warning(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        changed("{home: 1, work: 2}", "{home: 1}").replace("      name: {}\n", "      name: {}\n      unused: {}\n"),
    )
    lines = [str(warning).split(": ", 1)[1] for warning in found.warnings]
    assert "warning: entities.contact.fields.unused: no system maps this field" in lines
    assert any("has no code for work" in line for line in lines)
