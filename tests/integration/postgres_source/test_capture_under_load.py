"""The campaign of `make torture`, small: twenty clients, one transaction held open, the relay and the broker killed."""

from decimal import Decimal
from pathlib import Path

import pytest

from duplex.demo import databases
from schemas.messages import Change
from tests.conftest import NewDatabase
from tests.servers import PrivateKafka
from tests.torture import capture
from tests.torture.capture import Load


async def test_every_commit_arrives_in_order_whatever_is_killed(
    tmp_path: Path, private_kafka: PrivateKafka, new_database: NewDatabase, pipeline_name: str
) -> None:
    dsns = databases.Pair(await new_database("crm"), await new_database("erp"))
    showing = await capture.prepared(tmp_path, pipeline_name, private_kafka, dsns)
    try:
        outcome = await capture.endure(showing, private_kafka, Load(clients=20, time_s=6, held_s=3))
    finally:
        await showing.stop()
    assert outcome.sound, f"{outcome}\n{(tmp_path / 'run.log').read_text()[-3000:]}"
    assert outcome.entries > 100


def counting(*steps: tuple[int, int]) -> list[Change]:
    """Changes of one row: (number in the log, count after it)."""
    return [
        Change(
            system="crm",
            entity="contact",
            table="shop.contacts",
            incarnation=1,
            seq=seq,
            op="u",
            local_id="[1]",
            before=f'{{"credit_limit": {count - 1}}}',
            after=f'{{"credit_limit": {count}}}',
            ts_us=0,
        )
        for seq, count in steps
    ]


def disordered(changes: list[Change], final: int) -> list[str]:
    return capture.disordered(changes, {"[1]": Decimal(0)}, {"[1]": Decimal(final)})


def test_repeats_are_in_order() -> None:
    assert disordered(counting((1, 1), (4, 2), (1, 1), (4, 2), (7, 3)), 3) == []


def test_a_row_without_events_must_be_as_it_was() -> None:
    assert disordered([], 0) == []
    assert disordered([], 1) == ["[1]"]


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(((1, 1), (7, 3)), id="a gap"),
        pytest.param(((1, 1), (7, 3), (4, 2)), id="an inversion"),
        pytest.param(((1, 1), (4, 2)), id="no end"),
        pytest.param(((4, 2), (7, 3)), id="no beginning"),
    ],
)
def test_what_is_amiss_is_noticed(steps: tuple[tuple[int, int], ...]) -> None:
    assert disordered(counting(*steps), 3) == ["[1]"]
