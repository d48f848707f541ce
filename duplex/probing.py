"""What systems say of a project before anything is installed: settings refused, first pages, what is missing."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from connectors.base import Connector, Problem, TableSpec
from connectors.errors import ConnectorsError, RefusedError, UnreachableError
from connectors.registry import kind_of
from connectors.remote.connector import RemoteConnector
from duplex import composition, systems
from schemas.project.findings import Finding, Path, Severity
from schemas.project.loading import Loaded
from schemas.project.model import Mode

PATIENCE_S = 30.0
SETTING = "setting "


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking: what is wrong with the file, and the systems that did not answer, with why."""

    findings: tuple[Finding, ...] = ()
    silent: Mapping[str, ConnectorsError] = field(default_factory=dict)


NOTHING = Asked()


def refusal(loaded: Loaded, error: RefusedError, within: Path | None = None) -> Finding:
    """Settings that a connector does not take, as a finding at the key that it names, or `within`."""
    path = _path(error.what) or within or ("systems", error.system)
    message = error.why if _path(error.what) else f"{error.what}: {error.why}"
    return loaded.positions.finding(path, message, _remedy(error.remedy), at_key=True)


def _remedy(sentence: str) -> str:
    """A sentence as the end of another."""
    plain = sentence.rstrip(". ")
    return plain[:1].lower() + plain[1:] if plain[1:2].islower() else plain


def _path(what: str) -> Path | None:
    """The path of a key in what an error is about: `setting systems.shop.flows.people.1`."""
    text = what.removeprefix(SETTING)
    if not text.startswith("systems.") or " " in text:
        return None
    return tuple(int(step) if step.isdigit() else step for step in text.split("."))


async def asked(loaded: Loaded, connectors: systems.Connectors) -> Asked:
    """Ask each application that only declares its tables for a first page of each: credentials, addresses and what
    the declaration says of answers are right or not."""
    findings: list[Finding] = []
    silent: dict[str, ConnectorsError] = {}
    for name, connector in connectors.items():
        for spec in systems.drafts(loaded.project, name) if isinstance(connector, RemoteConnector) else ():
            try:
                await _page(connector, name, spec)
            except UnreachableError as error:
                silent[name] = error
            except RefusedError as error:
                findings.append(refusal(loaded, error, _table(spec, name)))
            except ConnectorsError as error:
                findings.append(loaded.positions.finding(_table(spec, name), str(error)))
    return Asked(tuple(dict.fromkeys(findings)), silent)


async def _page(connector: Connector, system: str, spec: TableSpec) -> None:
    api = connector.apis.get(spec.table) if isinstance(connector, RemoteConnector) else None
    if api is None:
        return
    try:
        async with asyncio.timeout(PATIENCE_S):
            await api.page(None)
    except TimeoutError as error:
        why = f"it gave no page of {spec.table} within {PATIENCE_S:.0f} s"
        raise UnreachableError(system, spec.table, f"systems.{system}", why) from error


async def problems(loaded: Loaded, connectors: systems.Connectors) -> tuple[Finding, ...]:
    """What connectors in whose systems nothing is installed find wrong with tables, topics and flows."""
    findings: list[Finding] = []
    for name, connector in connectors.items():
        kind = kind_of(loaded.project.systems[name].connector, name)
        if kind.log and kind.writes:
            continue
        try:
            told = await connector.check(list(_specs(loaded, name)))
        except ConnectorsError:
            # It is said already, as a system that does not answer.
            continue
        findings += [_finding(loaded, name, problem) for problem in told]
    return tuple(findings)


def flows(loaded: Loaded, connectors: systems.Connectors) -> Iterator[Finding]:
    """What does not fit in the ways in which changes of applications are noticed; told by the file alone."""
    for name, connector in connectors.items():
        if isinstance(connector, RemoteConnector):
            told = connector.check_flows(systems.drafts(loaded.project, name))
            yield from (_finding(loaded, name, problem) for problem in told)


def _specs(loaded: Loaded, system: str) -> Iterator[TableSpec]:
    for spec in systems.drafts(loaded.project, system):
        mode = loaded.project.entities[spec.entity].on_delete.modes.get(system, Mode())
        yield TableSpec(spec.entity, spec.table, (), (), spec.key, removal=composition.removal(mode))


def _finding(loaded: Loaded, system: str, problem: Problem) -> Finding:
    table: Path = ("systems", system) if problem.entity is None else _table_of(problem.entity, system)
    setting = _path(problem.setting or "")
    severity: Severity = "error" if problem.fatal else "warning"
    remedy = _remedy(problem.remedy)
    return loaded.positions.finding(
        setting or table, problem.what, remedy, at_key=setting is not None, severity=severity
    )


def _table(spec: TableSpec, system: str) -> Path:
    return _table_of(spec.entity, system)


def _table_of(entity: str, system: str) -> Path:
    return ("entities", entity, "systems", system, "table")
