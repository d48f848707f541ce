"""The judge of a history. It knows what users did and saw, what rows and the merged record showed, and what went on
record. It knows nothing of versions, echoes, acknowledgements or positions.

What it excuses stands, with the reason, in the module of each obligation: `losses`, `resting`, `parked`, `verdicts`.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tests.simulation import losses, parked, resting, verdicts
from tests.simulation.cases import Case

if TYPE_CHECKING:
    from tests.simulation.worlds import World

OBLIGATIONS: tuple[Callable[[Case], Iterator[str]], ...] = (
    losses.no_edit_lost,
    losses.no_deletion_undone,
    resting.rows_show_the_hub,
    resting.few_commands,
    resting.nothing_invented,
    resting.counted_exactly,
    parked.parked_items_left_rightly,
    verdicts.no_needless_conflict,
    verdicts.conflicts_are_about_edits,
    verdicts.edits_keep_their_clock,
    verdicts.newest_not_behind,
    verdicts.braked_deletes_wait,
    verdicts.amendments_overwrite_nothing,
    verdicts.stale_decisions_change_nothing,
    verdicts.forgotten_only_when_over,
)


def judge(world: "World") -> list[str]:
    """What is wrong with a history that has come to rest."""
    case = Case(world)
    return [sentence for obligation in OBLIGATIONS for sentence in obligation(case)] + world.hub.complaints
