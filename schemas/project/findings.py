"""What is wrong with a project file, and where: one finding per fault, all of them at once."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from schemas.errors import SchemasError

Path = tuple[str | int, ...]
Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. `line` and `column` count from 1; `path` names the key; `suggestion` is what to do, if it is known."""

    file: str
    line: int
    column: int
    path: str
    message: str
    suggestion: str | None = None
    severity: Severity = "error"

    def __str__(self) -> str:
        mark = "" if self.severity == "error" else "warning: "
        place = f"{self.path}: " if self.path else ""
        remedy = f"; {self.suggestion}" if self.suggestion else ""
        return f"{self.file}:{self.line}:{self.column}: {mark}{place}{self.message}{remedy}"


@dataclass(eq=False)
class ProjectFileError(SchemasError):
    """A project file that cannot be used. Nothing of it takes effect; `findings` has every fault found."""

    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        return "\n".join(str(finding) for finding in self.findings)


def path_text(path: Path) -> str:
    """A path as people write it: `entities.contact.systems.crm.filter[0].column`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """`did you mean "…"?` for the known word most like this one; None if none is like it."""
    found = nearest_of(word, known)
    return f'did you mean "{found}"?' if found else None


def nearest_of(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one; None if none is like it."""
    by_folded = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def listing(words: Iterable[str], limit: int = 8) -> str | None:
    """`known are: a, b, c` for a short list; None for an empty one."""
    names = sorted(words)
    if not names:
        return None
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"known: {', '.join(names[:limit])}{more}"
