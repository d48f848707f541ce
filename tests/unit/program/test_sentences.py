import pytest

from duplex.status import sentences
from duplex.status.facts import Hop, Problem, Refusal, Status
from duplex.status.gathering import FIRST_STEPS, NEVER_APPLIED, counters
from duplex.supervisor.presence import Running

NOW_S = 1_000_000.0
RUNNING = Running(
    pid=7, port=1, host="127.0.0.1", pipeline="shop", started_at_s=NOW_S - 7500, children=("sink crm", "processors")
)


def status(**more: object) -> Status:
    return Status(pipeline="shop", project="duplex.yaml", **more)  # type: ignore[arg-type]


def told(found: Status) -> list[str]:
    return list(sentences.sentences(found, NOW_S))


def test_not_running_comes_with_what_to_do() -> None:
    assert told(status())[0] == "shop is not running. `duplex run` starts it."


def test_healthy_and_up_to_date() -> None:
    found = status(running=RUNNING, healthy=True, hops=[Hop("sink crm", "g", "t", 0, started=True)])
    assert told(found) == [
        "shop has been running for 2 h 5 min (2 processes, process 7): all healthy.",
        "Every consumer is up to date (1).",
    ]
    assert found.ok


def test_lag_is_told_per_hop() -> None:
    found = status(
        running=RUNNING, healthy=True, hops=[Hop("merge of contact", "g", "shop.records.contact", 1204, True)]
    )
    assert "merge of contact is 1,204 messages behind on shop.records.contact." in told(found)


def test_a_stuck_loop_and_a_fatal_problem_make_it_not_ok() -> None:
    stuck = status(running=RUNNING, healthy=False, reasons=["sink crm is stuck"])
    assert "  sink crm is stuck" in told(stuck)
    assert not stuck.ok
    dropped = status(running=RUNNING, healthy=True, problems=[Problem("crm", "table t was dropped", "duplex apply")])
    assert told(dropped)[-1] == "PROBLEM: crm: table t was dropped. To do: duplex apply"
    assert not dropped.ok


def test_a_refused_record_is_named_with_its_reason() -> None:
    refusal = Refusal("r-1", "contact", "erp", "value too long", int((NOW_S - 90) * 1e6))
    (line,) = [line for line in told(status(refusals=[refusal])) if line.startswith("REFUSED")]
    assert "erp did not take record r-1 of contact (1 min ago): value too long." in line
    assert "`duplex record show r-1`" in line


@pytest.mark.parametrize(("rule", "words"), [("border", "mend it in erp"), ("unwritable", "complete the mapping")])
def test_a_value_held_back_is_not_blamed_on_the_target(rule: str, words: str) -> None:
    refusal = Refusal("r-1", "contact", "erp", "why", int(NOW_S * 1e6), rule)
    (line,) = [line for line in told(status(refusals=[refusal])) if line.startswith("HELD BACK")]
    assert words in line


def test_waiting_entries_commands_and_dead_letters() -> None:
    found = told(status(unpublished={"crm": 3, "erp": 0}, parked_commands={"erp": 1}, deadletters=2))
    assert "Source crm: 3 log entries not published yet." in found
    assert "Sink erp: 1 command waits for a row they refer to." in found
    assert any(line.startswith("DEAD LETTERS: 2 messages") for line in found)
    assert not any("Source erp" in line for line in found)


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (59.9, "59 s"), (60, "1 min"), (7500, "2 h 5 min"), (200_000, "2 days")]
)
def test_a_length_of_time(seconds: float, text: str) -> None:
    assert sentences.ago(seconds) == text


def test_a_moment() -> None:
    assert sentences.stamp(1_709_164_800_123_456) == "2024-02-29 00:00:00.123Z"


def test_counters_are_summed_over_processes_and_kept_apart_by_outcome() -> None:
    text = "\n".join(
        [
            "# TYPE duplex_commands_total counter",
            'duplex_commands_total{outcome="applied",process="sink crm"} 3',
            'duplex_commands_total{outcome="applied",process="sink erp"} 4',
            'duplex_commands_total{outcome="failed",process="sink erp"} 1',
            "",
        ]
    )
    assert counters(text) == {"duplex_commands_total.applied": 7, "duplex_commands_total.failed": 1}


def test_what_was_never_applied_is_not_called_up_to_date() -> None:
    hops = [Hop("sink crm", "g", "t", 0, started=False)]
    found = told(status(applied=False, hops=hops, problems=[Problem("f", NEVER_APPLIED, FIRST_STEPS)]))
    assert found[0] == "shop is not running, and was never applied."
    assert "duplex apply" in found[1] and not any("up to date" in line for line in found)
    assert any("up to date" in line for line in told(status(applied=True, hops=hops)))
