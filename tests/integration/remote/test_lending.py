"""What a connector without a log is lent: all of its notes to work with, a few of them to be looked at."""

from collections.abc import AsyncIterator

import pytest

from connectors.kafka_notes import REPEATED_AFTER, KafkaNotes
from connectors.remote.connector import RemoteConnector
from connectors.remote.surroundings import Surroundings
from duplex import broker
from duplex.surroundings import lent, lent_to_check
from schemas.project.model import Project
from schemas.topics import Topics
from tests.unit.remote.bench import SPEC, bench

SECTION = {
    "identity": {"match": ["email"]},
    "fields": {"email": {"type": "string"}},
    "systems": {
        "blog": {"table": "members", "map": {"email": "email"}},
        "crm": {"table": "public.people", "map": {"email": "email"}},
    },
}


@pytest.fixture
def project(kafka_bootstrap: str, pipeline_name: str) -> Project:
    """A blog and a CRM, of which the blog keeps no log."""
    return Project.model_validate(
        {
            "pipeline": pipeline_name,
            "kafka": {"bootstrap": kafka_bootstrap},
            "systems": {"blog": {"connector": "rest"}, "crm": {"connector": "postgres"}},
            "entities": {"contact": SECTION},
        }
    )


@pytest.fixture
async def topics(kafka_bootstrap: str, pipeline_name: str) -> AsyncIterator[Topics]:
    """The topic of the blog's notes, as `apply` makes it."""
    names, options = Topics(pipeline_name), {"bootstrap_servers": kafka_bootstrap}
    await broker.create_missing(options, [names.table(names.notes("blog"), partitions=1)], 1)
    yield names
    await broker.delete(options, [names.notes("blog")])


async def checked(connector: RemoteConnector, project: Project, topics: Topics, bootstrap: str) -> list[str]:
    """What `status` and `doctor` find of the connector."""
    async with lent_to_check(connector, "blog", project, topics, {"bootstrap_servers": bootstrap}):
        return [problem.what for problem in await connector.check([SPEC]) if problem.fatal]


async def test_what_is_installed_is_seen_by_who_only_looks(
    project: Project, topics: Topics, kafka_bootstrap: str
) -> None:
    connector, kafka = bench().connector, {"bootstrap_servers": kafka_bootstrap}
    assert await checked(connector, project, topics, kafka_bootstrap) == ["resource members is not read"]
    async with lent(connector, "blog", project, topics, kafka):
        await connector.install([SPEC])
    assert await checked(connector, project, topics, kafka_bootstrap) == []
    async with lent(connector, "blog", project, topics, kafka):
        await connector.uninstall()
    assert await checked(connector, project, topics, kafka_bootstrap) == ["resource members is not read"]


async def test_who_only_looks_does_not_read_a_note_for_every_row(
    project: Project, topics: Topics, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector, kafka = bench().connector, {"bootstrap_servers": kafka_bootstrap}
    notes = KafkaNotes(kafka, "blog", topics.notes("blog"))
    await notes.open()
    connector.attach(Surroundings(notes))
    await connector.install([SPEC])
    for part in range(4):
        await notes.put({f"row/contact/[{part},{number}]": b"x" for number in range(REPEATED_AFTER)})
    await notes.close()
    opened, close = list[KafkaNotes](), KafkaNotes.close

    async def closing(these: KafkaNotes) -> None:
        opened.append(these)
        await close(these)

    monkeypatch.setattr(KafkaNotes, "close", closing)
    assert await checked(connector, project, topics, kafka_bootstrap) == []
    assert [0 < these.records_read <= 2 * REPEATED_AFTER for these in opened] == [True]
