"""How a mistake is planted: words of a function are changed while it runs, or a fault of the world is switched on."""

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import FunctionType

import pytest

from tests.simulation.themes import Theme

Plant = Callable[[pytest.MonkeyPatch], None]
UNCONTENDED = "uncontended"


@dataclass(eq=False)
class StaleMutantError(Exception):
    """The words to be changed are no longer in the function: the mistake must be written anew."""

    function: str
    words: str

    def __str__(self) -> str:
        return f"{self.function} has no {self.words!r} any more: write the mistake anew where it is planted"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake that looks right.

    The search starts at seed `first` (where one is known to be noticed early), with histories of `theme` if that is
    given. `fault` names a field of `tables.Mistakes`. What changes nothing that a user could miss is noticed by unit
    tests: `tests` says which file of `tests/unit/merge`, and `survives` why no history shows it.
    """

    name: str
    plant: Plant | None = None
    fault: str = ""
    theme: Theme | None = None
    first: int = 1
    tests: str = ""
    survives: str = ""


def edit(name: str, *changes: str, package: str = "streams.merge") -> Plant:
    """Change words of a function, named by its module in the package: old, new, old, new. Raises StaleMutantError.

    A mistake in the merge's rules for all cases is searched for with them alone: the uncontended cases do not come to
    them, and a comparison of both would notice it in their stead.
    """

    def plant(patch: pytest.MonkeyPatch) -> None:
        edited = _function(package, name)
        source = textwrap.dedent(inspect.getsource(edited))
        for old, new in zip(changes[::2], changes[1::2], strict=True):
            if old not in source:
                raise StaleMutantError(edited.__qualname__, old)
            source = source.replace(old, new, 1)
        made: dict[str, FunctionType] = {}
        exec(compile(source, f"<mutant of {edited.__qualname__}>", "exec"), edited.__globals__, made)  # noqa: S102
        patch.setattr(edited, "__code__", made[edited.__name__].__code__)
        if not name.startswith(f"{UNCONTENDED}."):
            patch.setattr(f"streams.merge.{UNCONTENDED}.merged", lambda state, event, rules: None)

    return plant


def both(*plants: Plant) -> Plant:
    """Several changes that make one mistake."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        for one in plants:
            one(patch)

    return plant


def _function(package: str, name: str) -> FunctionType:
    module, *path = name.split(".")
    found: object = import_module(f"{package}.{module}")
    for part in path:
        found = getattr(found, part, None)
    if not isinstance(found, FunctionType):
        raise StaleMutantError(package, name)
    return found
