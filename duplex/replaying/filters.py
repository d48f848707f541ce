"""Which records a replay is about: one, or those for which a condition over the merged record holds."""

from dataclasses import dataclass, field
from typing import Any

from duplex.replaying.errors import ConditionError
from streams.merge.goldens import golden
from streams.merge.rules import Rules
from streams.merge.states import State

NAMES = ("record", "deleted", "id")
MACROS = frozenset({"all", "exists", "exists_one", "map", "filter"})


@dataclass(slots=True)
class Condition:
    """A compiled `--where`. A record of which it cannot be asked does not match: `failed` counts those, `reason` has
    the first's. Raises ConditionError for an expression that is wrong for all.
    """

    source: str
    failed: int = 0
    reason: str = ""
    _program: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        import cel

        try:
            self._program = cel.compile(self.source)
        except ValueError as error:
            raise ConditionError(self.source, " ".join(str(error).splitlines()[:1])) from error
        unknown = sorted(set(self._program.variables()) - set(NAMES))
        if unknown and not MACROS & set(self._program.functions()):
            raise ConditionError(self.source, f"there is no {', '.join(unknown)}")

    def holds(self, record_id: str, state: State, rules: Rules) -> bool:
        """Whether a record matches. Raises ConditionError where the answer is no truth value."""
        merged = golden(state, rules)
        values = {name: _plain(value) for name, value in merged.values.items()}
        try:
            answer = self._program.execute({"record": values, "deleted": merged.deleted, "id": record_id})
        except (TypeError, RuntimeError, KeyError, ValueError, IndexError) as error:
            self.failed += 1
            self.reason = self.reason or str(error)
            return False
        if not isinstance(answer, bool):
            raise ConditionError(self.source, f"it gives {answer!r}, and not true or false")
        return answer


def _plain(value: Any) -> Any:
    return [_plain(each) for each in value] if isinstance(value, tuple) else value
