"""Mistakes of the engine that look right, planted one at a time: a history must notice each of them, or a unit test.

`python -m tests.simulation.applications.faults [--histories N] [--only WORDS]` plants them and searches: histories
first, then the tests that are named. `--histories 0` asks the tests alone, which is quick.
"""

import argparse
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from multiprocessing import get_context

import pytest

from tests.simulation.applications.histories import run
from tests.simulation.mutants import planting
from tests.simulation.mutants.planting import Plant, both


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake. `tests` is the file of `tests/unit` with a test that notices it, since histories that do may be
    rare. The search begins at seed `first`, where one is known to be noticed early."""

    name: str
    plant: Plant
    tests: str
    first: int = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """How a fault was noticed: at which seed, after how many histories, by which sentence; or by a test, or not at all.

    A test is the sentence then, and there is no seed.
    """

    name: str
    histories: int
    seed: int | None = None
    sentence: str = ""

    def __str__(self) -> str:
        if not self.sentence:
            return "NOT NOTICED"
        return (
            self.sentence if self.seed is None else f"seed {self.seed}, after {self.histories}: {self.sentence[:100]}"
        )


def edit(name: str, *changes: str) -> Plant:
    """Change words of a function of `connectors`: old, new, old, new. Raises StaleMutantError."""
    package, _, rest = name.partition(".")
    return planting.edit(rest, *changes, package=f"connectors.{package}")


FAULTS = (
    Fault(
        "what is about to be written is not noted",
        edit("remote.intents.Ledger.intend", "await self._keep(command, Entry(intent), {})", "pass"),
        tests="remote/test_crashes.py",
    ),
    Fault(
        "what was answered is not noted",
        edit(
            "remote.intents.Ledger.finish",
            "await self._keep(command, Entry(None if entry is None else entry.intent, result), others)",
            "await self._grouped.put(others)",
        ),
        tests="remote/test_sink.py",
    ),
    Fault(
        "a listing is trusted: what it lacks is gone",
        edit(
            "remote.sweeps.Sweep._ask",
            'await self._teller.look_all(piece, asked, "sweep")',
            'for one in asked: await self._teller.tell(piece, one, None, self._teller.engine.numbers.take(), "sweep")',
        ),
        tests="remote/test_source.py",
    ),
    Fault(
        "a listing is numbered when it has come",
        edit(
            "remote.sweeps.Sweep._page",
            "page = await self._listed(running)",
            "page = await self._listed(running); number = engine.numbers.take()",
        ),
        tests="remote/test_webhooks.py",
    ),
    Fault(
        "a listed row that was being written is told as listed",
        edit(
            "remote.tellings.Teller.listed",
            "was_seen = self.engine.writes.overlapped(page, row) or",
            "was_seen = False or",
        ),
        tests="remote/test_webhooks.py",
    ),
    Fault(
        "a create whose answer was lost is sent again blindly",
        edit("remote.creations.Creation._attempt", "else self._taken_up(wanted)", "else self._create(wanted)"),
        tests="remote/test_sink.py",
    ),
    Fault(
        "a create taken up again says that there was no row a moment ago",
        edit(
            "remote.creations.Creation._ours",
            "self._made(NOWHERE, seen)",
            "self._made(replace(seen, found=None, order=seen.order - 1), seen)",
        ),
        tests="remote/test_crashes.py",
    ),
    Fault(
        "a row with the same natural key is not looked for",
        edit("remote.creations.Creation._resting", "await self._twins(wanted) or []", "[]"),
        tests="remote/test_windows.py",
    ),
    Fault(
        "an edit of a row just made is taken for the application's form",
        edit("remote.creations.Creation._create", "if is_again", "if False"),
        tests="remote/test_crashes.py",
    ),
    Fault(
        "a unit is written whatever it holds",
        edit("remote.writes.Writer._parted", "elif self.columns.same(base, before.values):", "else:"),
        tests="remote/test_sink.py",
    ),
    Fault(
        "what an earlier attempt found is forgotten where it wrote nothing",
        edit("remote.writes.Writer._before", "dict(noted.found.values)", "dict(now.found.values)"),
        tests="remote/test_sink.py",
    ),
    Fault(
        "a delete is blind",
        edit("remote.writes.Writer._delete", "if not self.columns.same(units[0][0], found.values):", "if False:"),
        tests="remote/test_sink.py",
    ),
    Fault(
        "what was seen between two attempts of a command is told by its answer alone",
        planting.edit("looks.answered", "for look in between:", "for look in ():"),
        tests="merge/test_looks.py",
        first=5623,
    ),
    Fault(
        "a write of ours that was seen between two attempts of a command is an edit",
        planting.edit("looks._observe_beside", "for column in unit.base or {} if column in image", "for column in ()"),
        tests="merge/test_looks.py",
        first=42,
    ),
    Fault(
        "an earlier write of ours is not told from an edit",
        edit("remote.writes.Writer._update", "before = now if intent is None else", "before = now if True else"),
        tests="remote/test_sink.py",
    ),
    Fault(
        "a create is given up for a row that nobody has seen",
        edit("remote.creations.Creation._require_told", "if unseen:", "if False:"),
        tests="remote/test_windows.py",
        first=34,
    ),
    Fault(
        "a row is told as made anew by a look from before it went",
        edit(
            "remote.tellings.Teller.tell", "if found is not None and self._is_gone_by_version(local_id):", "if False:"
        ),
        tests="remote/test_webhooks.py",
        first=6446,
    ),
    Fault(
        "a look is told while the answer that its row is gone is being noted",
        edit("remote.tellings.Teller._is_gone_by_version", "self.engine.marks.last_look(", "self.engine.marks.of("),
        tests="remote/test_webhooks.py",
    ),
    Fault(
        "a row that we delete is placed at a look that was told meanwhile",
        edit("remote.writes.Writer._end", "order=max(seen.order, order)", "order=seen.order"),
        tests="remote/test_crashes.py",
    ),
    Fault(
        "a row that went is placed before a command that saw it, and has no answer yet",
        edit("remote.marks.Marks.remember", "known.order < version", "False"),
        tests="remote/test_crashes.py",
        first=378,
    ),
    Fault(
        "an elder mark overtakes one that is on its way",
        edit("remote.marks.Ordered._is_overtaken", "for other in others)", "for other in others[:1])"),
        tests="remote/test_crashes.py",
        first=5615,
    ),
    Fault(
        "a row that went is placed before an answer that could not be noted",
        edit("remote.engine.Engine.order", "self.marks.last_look(", "self.marks.of("),
        tests="remote/test_crashes.py",
        first=5516,
    ),
    Fault(
        "a row made beside ours is forgotten when ours goes",
        planting.edit("looks._succeed", "if entry.image is None", "if False"),
        tests="merge/test_looks.py",
    ),
    Fault(
        "looks at unknown rows do not wait for creates",
        edit("remote.tellings.Teller._unknown", "if under_way := ", "if False and "),
        tests="remote/test_webhooks.py",
    ),
    Fault(
        "what is told is not noted as unsure before",
        edit("remote.marks.Marks.unsure", "unsure = {note:", "marks = {}\n    unsure = {note:"),
        tests="remote/test_crashes.py",
    ),
    Fault(
        "numbers are not reserved",
        both(
            edit("remote.engine.Engine.before_telling", "if numbers.last > numbers.secured:", "if False:"),
            edit("remote.intents.Grouped.put", ", **self._latest()", ""),
        ),
        tests="remote/test_crashes.py",
    ),
    Fault(
        "the fence is lowered by a late answer",
        edit("remote.intents.Ledger._let_go", "max(self._fence_of(place), *gone)", "max(gone)"),
        tests="remote/test_crashes.py",
    ),
    Fault(
        "what a newer command took the place of leaves no note",
        edit("remote.intents.Ledger.forget", "if entry is None or not entry.is_over:", "if False:"),
        tests="remote/test_crashes.py",
    ),
    Fault(
        "a command that is set aside is not noted",
        edit("remote.parking.Parking.park", "await self._notes.put({name: _encode(command)})", "pass"),
        tests="remote/test_windows.py",
    ),
    Fault(
        "a row in a delivery is trusted, however old",
        edit(
            "remote.deliveries.Deliveries._trust",
            "is_plain = known is not None",
            "is_plain = known is not None or True",
        ),
        tests="remote/test_webhooks.py",
    ),
    Fault(
        "flows wait for a clock that was set back",
        edit(
            "remote.schedule.due_us",
            "wanted_us = now_us\n    begin_us",
            "wanted_us = now_us + flow.every_us\n    begin_us",
        ),
        tests="remote/test_flows.py",
    ),
    Fault(
        "the limit is not kept",
        edit("http.budgets.Budget.wait_s", "self._own_wait_s(now_s), self._told_wait_s(now_s)", "0.0"),
        tests="rest/test_accounts.py",
    ),
    Fault(
        "what an application says of the limit is not heard",
        edit("http.budgets.Budget.observe", "if told is not None:", "if False:", "if again_s is None", "if True"),
        tests="http/test_budgets.py",
    ),
)
BY_NAME = {fault.name: fault for fault in FAULTS}


def search(fault: Fault, limit: int) -> Finding:
    """Play histories with a fault planted until one violates an obligation that it keeps without, `limit` at most; if
    none does, ask the tests."""
    for place in range(limit):
        seed = fault.first + place
        with pytest.MonkeyPatch.context() as patch:
            fault.plant(patch)
            wrong = run(seed)
        if wrong and not run(seed):
            return Finding(fault.name, place + 1, seed, wrong[0])
    with pytest.MonkeyPatch.context() as patch:
        fault.plant(patch)
        return Finding(fault.name, limit, sentence=tested(fault.tests))


def tested(file: str) -> str:
    """The first test of a file of `tests/unit` that fails; empty where none does."""
    told = StringIO()
    with redirect_stdout(told):
        code = pytest.main(["-q", "-x", "-rf", "--no-header", "-p", "no:cacheprovider", f"tests/unit/{file}"])
    failed = next((line for line in told.getvalue().splitlines() if line.startswith("FAILED ")), "")
    return failed.removeprefix("FAILED ").partition(" - ")[0] if code == pytest.ExitCode.TESTS_FAILED else ""


def search_by_name(limit: int, name: str) -> Finding:
    """As `search`, for other processes: a name can be sent to them."""
    return search(BY_NAME[name], limit)


def main() -> int:
    """0 when every fault was noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.applications.faults", description=__doc__)
    parser.add_argument("--histories", type=int, default=60, help="to search at most, for each")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", metavar="WORDS", help="only faults with these words in their name")
    given = parser.parse_args()
    names = [name for name in BY_NAME if given.only in name]
    noticed = 0
    with get_context("spawn").Pool(given.workers) as pool:
        for finding in pool.imap(partial(search_by_name, given.histories), names):
            print(f"{finding.name:65} {finding}", flush=True)
            noticed += bool(finding.sentence)
    print(f"{noticed} of {len(names)} noticed")
    return 0 if noticed == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
