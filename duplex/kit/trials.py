"""Trying an application against the cases that every one must stand: rows are made in it, changed, and removed."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from connectors.base import Connector
from connectors.errors import ConnectorsError, UnreachableError
from connectors.remote import conformance
from connectors.remote.api import Api
from connectors.remote.conforming import Bench
from connectors.remote.connector import RemoteConnector
from duplex.errors import DuplexError
from duplex.usage import UsageError

Outcome = Literal["passed", "failed", "not offered"]
Told = Callable[["Verdict"], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one case; `why` it failed, or is not for this application."""

    case: str
    outcome: Outcome
    why: str = ""

    @property
    def title(self) -> str:
        """The case's name as words."""
        return self.case.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried: a resource of a system, values of new rows, and what is changed in them; `{n}` is a number that
    differs from row to row. `match`: the columns by which a row is found again.
    """

    system: str
    resource: str | None
    sample: Mapping[str, str]
    edit: Mapping[str, str]
    match: tuple[str, ...] = ()


class NotTriableError(DuplexError):
    """A system whose connector the cases are not for."""

    def __init__(self, system: str) -> None:
        super().__init__(
            "the cases cannot be run",
            f"system {system}",
            "it keeps a log of its own, and these cases are for applications without one",
            "Run the suite in tests/conformance against a connector of this kind.",
        )


def bench(trial: Trial, connector: Connector) -> Bench:
    """The bench of a trial. Raises NotTriableError, UsageError for a resource or column that is not there."""
    if not isinstance(connector, RemoteConnector):
        raise NotTriableError(trial.system)
    api = _resource(trial, connector.apis)
    sample, edit = _readers(trial, api, trial.sample), _readers(trial, api, trial.edit)
    return Bench(trial.system, lambda: api, sample, edit, trial.match)


async def run(bench: Bench, told: Told) -> Sequence[Verdict]:
    """Try every case, one after the other. Raises UnreachableError where the application does not answer at all."""
    verdicts = []
    for name, case in conformance.cases().items():
        verdict = await _tried(name, lambda case=case: conformance.run(case, bench))  # type: ignore[misc]
        told(verdict)
        verdicts.append(verdict)
    return verdicts


async def _tried(name: str, attempt: Callable[[], Awaitable[str | None]]) -> Verdict:
    try:
        why = await attempt()
    except UnreachableError:
        raise
    except ConnectorsError as error:
        return Verdict(name, "failed", str(error))
    return Verdict(name, "passed") if why is None else Verdict(name, "not offered", why)


def _resource(trial: Trial, apis: Mapping[str, Api]) -> Api:
    if trial.resource is None and len(apis) == 1:
        return next(iter(apis.values()))
    found = apis.get(trial.resource or "")
    if found is None:
        asked = f"--resource {trial.resource}" if trial.resource else "--resource is not given"
        raise UsageError("which resource is meant", asked, "there are several, or none so named", _listed(apis))
    return found


def _readers(trial: Trial, api: Api, given: Mapping[str, str]) -> Callable[[int], Mapping[str, Any]]:
    kinds = {column.name: column.type for column in api.columns}
    if unknown := [name for name in given if name not in kinds]:
        raise UsageError("no such column", unknown[0], f"{api.name} does not have it", _listed(kinds))
    return lambda number: {name: _value(kinds[name], text.replace("{n}", str(number))) for name, text in given.items()}


def _value(kind: str, text: str) -> Any:
    if kind in ("text", "uuid", "date", "timestamptz", "timestamp"):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _listed(names: Mapping[str, object]) -> str:
    return f"There are {', '.join(names) or 'none'}."
