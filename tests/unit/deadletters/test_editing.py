"""Messages edited as JSON: what is not touched comes back byte by byte."""

import stat
from pathlib import Path

import pytest

from duplex.deadletters import editors
from duplex.deadletters.editing import Draft, assigned
from duplex.deadletters.errors import EditError
from schemas.codec import Codec
from schemas.messages import Change, Command, Unit
from tests.unit.deadletters.letters import change, encoded

EXACT = '{"n": 12345678901234567890.10, "e": 1E5,  "t": "\\u00e9", "z": 1.0}'


def edited(value: bytes, *assignments: str) -> Change:
    draft = Draft("1:2", value)
    text = draft.text
    for assignment in assignments:
        text = assigned(text, assignment)
    return Codec().decode_as(draft.encoded(text), Change)


def test_images_are_opened_for_a_person() -> None:
    text = Draft("1:2", encoded()).text
    assert '"credit": 12.50' in text
    assert text.count("\n") > 10


def test_one_member_of_an_image_is_set_and_the_others_keep_every_digit() -> None:
    found = edited(encoded(before=EXACT, after=EXACT), 'after.t="x"')
    assert found.before == EXACT
    assert found.after == '{"n":12345678901234567890.10,"e":1E5,"t":"x","z":1.0}'


def test_an_image_may_be_taken_away() -> None:
    assert edited(encoded(), "before=null").before is None


def test_an_image_that_is_no_json_stays_as_it_is_and_can_be_replaced() -> None:
    broken = encoded(after="{not json")
    assert edited(broken, 'op="c"').after == "{not json"
    assert edited(broken, 'after={"id": 7}').after == '{"id":7}'


def test_units_of_a_command_are_reached_by_their_number() -> None:
    command = Command(
        id="r/erp/1", record_id="r", entity="contact", system="erp", number=1, op="u", local_id="[7]",
        units=(Unit(base=EXACT, set=EXACT),), partition=0, offset=3, hop=1, ts_us=5,
    )  # fmt: skip
    draft = Draft("1:2", Codec().encode(command))
    found = Codec().decode_as(draft.encoded(assigned(draft.text, "units.0.set.t=null")), Command)
    assert found.units == (Unit(base=EXACT, set='{"n":12345678901234567890.10,"e":1E5,"t":null,"z":1.0}'),)


@pytest.mark.parametrize(
    ("assignment", "why"),
    [
        ("after.fax=1", "there is no fax"),
        ("after.phone=oops", "as JSON"),
        ("after", "it has no ="),
        ('local_id="[8]"', "local_id says which message"),
        ('op="q"', "op"),
        ('ts_us="soon"', "ts_us"),
        ("ts_us=5", "nothing was changed"),
        ("op.x=5", "there is no x"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(assignment: str, why: str) -> None:
    with pytest.raises(EditError) as caught:
        edited(encoded(), assignment)
    assert why in str(caught.value)


def test_a_field_that_does_not_exist_is_not_dropped_in_silence() -> None:
    draft = Draft("1:2", encoded())
    with pytest.raises(EditError, match="there is no field afterr"):
        draft.encoded(draft.text.replace('"after"', '"afterr"'))


def test_bytes_that_are_no_message_cannot_be_edited() -> None:
    with pytest.raises(EditError, match="no message of ours"):
        Draft("1:2", b"noise")


def script(folder: Path, line: str) -> dict[str, str]:
    path = folder / "an editor"
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"EDITOR": f"'{path}'"}


def test_the_editor_changes_the_text(tmp_path: Path) -> None:
    draft = Draft("1:2", encoded())
    data = editors.edited(draft.text, draft.encoded, script(tmp_path, """sed -i 's/12\\.50/13.00/' "$1" """))
    assert Codec().decode_as(data, Change) == change(after='{"id":7,"credit":13.00,"phone":"1"}')


def test_what_was_typed_is_kept_where_it_makes_no_message(tmp_path: Path) -> None:
    draft = Draft("1:2", encoded())
    with pytest.raises(EditError, match="kept in") as caught:
        editors.edited(draft.text, draft.encoded, script(tmp_path, 'echo "{typed" > "$1"'))
    kept = Path(caught.value.remedy.partition("kept in ")[2].rstrip("."))
    assert kept.read_text() == "{typed\n"
    kept.unlink()


@pytest.mark.parametrize(("environment", "why"), [({}, "names an editor"), ({"EDITOR": "/not/there"}, "cannot be run")])
def test_without_an_editor_nothing_happens(environment: dict[str, str], why: str) -> None:
    with pytest.raises(EditError, match=why):
        editors.edited("text", str, environment)
