"""What is wrong with a project: in its file, against the systems' own tables, and in its mappings."""

import itertools
import random
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from connectors.base import ColumnInfo, Connector, TableInfo
from connectors.errors import ConnectorsError, RefusedError
from connectors.webhook.settings import read_endpoints
from duplex import policies, probing, systems, unwritable
from schemas.project.columns import check_columns
from schemas.project.findings import Finding, path_text
from schemas.project.loading import Loaded
from streams.errors import MappingError
from streams.mapping.compiled import compile_lens
from streams.mapping.laws import counterexample, flapping

SEED = 20_240_229

Tables = Mapping[tuple[str, str], TableInfo]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found. `tables` are those that were seen, by (system, entity); `silent` the systems that did not
    answer, with why; `facts` what was seen of policy functions, which is neither right nor wrong."""

    findings: tuple[Finding, ...]
    tables: Tables
    silent: Mapping[str, ConnectorsError]
    facts: tuple[str, ...] = ()

    @property
    def errors(self) -> list[Finding]:
        """The findings that forbid to go on."""
        return [finding for finding in self.findings if finding.severity == "error"]


async def check_file(loaded: Loaded) -> Checked:
    """What can be said without any system: the file by itself, the settings of its systems, and its functions."""
    async with _opened(loaded) as (connectors, refused):
        return await _alone(loaded, connectors, refused)


async def check_all(loaded: Loaded) -> Checked:
    """As `check`, and opens the systems for it: settings that a connector does not take are findings among the others.
    Each application is asked for a first page, and what needs no installation is judged as well."""
    async with _opened(loaded) as (connectors, refused):
        problems = await probing.problems(loaded, connectors)
        checked = await check(loaded, connectors, asking=True)
        alone = await _alone(loaded, connectors, refused)
        # Of a table that is missing, the connector itself says why.
        told = {finding.path for finding in problems} & _missing(loaded, checked.tables)
        kept = [finding for finding in checked.findings if finding.path not in told]
        return replace(checked, findings=tuple(dict.fromkeys((*alone.findings, *kept, *problems))))


async def check(loaded: Loaded, connectors: systems.Connectors, *, asking: bool = False) -> Checked:
    """Compare the file with the systems' tables, and try every mapping and policy function on generated values.
    `asking`: an application that only declares its tables is asked for some of its rows."""
    alone = await _alone(loaded, connectors, ())
    found = await systems.discover(loaded.project, connectors)
    tables: dict[tuple[str, str], TableInfo] = {}
    silent: dict[str, ConnectorsError] = {}
    for system, answer in found.items():
        if isinstance(answer, ConnectorsError):
            silent[system] = answer
        else:
            tables |= {(system, entity): table for entity, table in answer.items()}
    asked = await probing.asked(loaded, connectors) if asking else probing.NOTHING
    silent |= asked.silent
    unknown = {name for name in systems.used(loaded.project) if name in silent or name not in connectors}
    findings = [*alone.findings, *asked.findings, *_against_columns(loaded, tables, unknown), *_keys(loaded, tables)]
    if not unknown and not any(finding.severity == "error" for finding in findings):
        findings += laws(loaded, tables)
    return Checked(tuple(findings), tables, silent, alone.facts)


def _missing(loaded: Loaded, tables: Tables) -> set[str]:
    """The paths of tables that were not found."""
    held = {(system, name) for name, entity in loaded.project.entities.items() for system in entity.systems}
    return {path_text(("entities", name, "systems", system, "table")) for system, name in held - tables.keys()}


@asynccontextmanager
async def _opened(loaded: Loaded) -> AsyncIterator[tuple[systems.Connectors, list[Finding]]]:
    """A connector for each system whose settings are right, and what is wrong with those of the others."""
    connectors: dict[str, Connector] = {}
    refused: list[Finding] = []
    async with AsyncExitStack() as stack:
        for name in systems.used(loaded.project):
            try:
                connectors[name] = systems.made(loaded.project, name)
                stack.push_async_callback(connectors[name].close)
            except RefusedError as error:
                refused.append(probing.refusal(loaded, error))
        yield connectors, refused


async def _alone(loaded: Loaded, connectors: systems.Connectors, refused: Iterable[Finding]) -> Checked:
    tried = await policies.tried(loaded)
    told = [*loaded.warnings, *tried.faults, *refused, *unwritable.findings(loaded, connectors), *_webhooks(loaded)]
    told += dict.fromkeys(probing.flows(loaded, connectors))
    return Checked(tuple(told), {}, {}, tried.facts)


def _webhooks(loaded: Loaded) -> Iterator[Finding]:
    """Webhooks that the bridge would not take: by themselves, and, where each is right, beside each other."""
    names = systems.hooked(loaded.project)
    alone = [finding for name in names for finding in _endpoints(loaded, (name,))]
    yield from alone or _endpoints(loaded, names)


def _endpoints(loaded: Loaded, names: Sequence[str]) -> list[Finding]:
    options = {name: loaded.project.systems[name].options for name in names}
    try:
        read_endpoints(options, dict.fromkeys(names, ""))
    except RefusedError as error:
        return [probing.refusal(loaded, error, ("systems", error.system, "webhook"))]
    return []


def _against_columns(loaded: Loaded, tables: Tables, silent: Iterable[str]) -> list[Finding]:
    columns: dict[tuple[str, str], Mapping[str, ColumnInfo]] = {
        place: {column.name: column for column in table.columns} for place, table in tables.items()
    }
    keys = {place: table.key for place, table in tables.items()}
    # A system that did not answer is one failure, not one missing table for each of its entities.
    hidden = {
        loaded.positions.finding(("entities", entity, "systems", system, "table"), "").path
        for system in silent
        for entity in loaded.project.entities
        if system in loaded.project.entities[entity].systems
    }
    return [finding for finding in check_columns(loaded, columns, keys) if finding.path not in hidden]


def _keys(loaded: Loaded, tables: Tables) -> list[Finding]:
    return [
        loaded.positions.finding(
            ("entities", entity, "systems", system, "table"),
            f"{table.name} of {system} cannot take part: {table.key_refusal}",
        )
        for (system, entity), table in tables.items()
        if table.key_refusal is not None
    ]


def laws(loaded: Loaded, tables: Tables) -> list[Finding]:
    """Mappings that would grow, shrink or swing, each with a counterexample at the mapping's place in the file."""
    # The same seed every time: a counterexample that was shown must be found again.
    findings: list[Finding] = []
    for name, entity in loaded.project.entities.items():
        columns = {system: _types(tables[system, name]) for system in entity.systems}
        try:
            lenses = {system: compile_lens(entity, system, columns[system], name) for system in entity.systems}
        except MappingError as error:
            findings.append(_at_map(loaded, name, error.system, str(error)))
            continue
        broken = [
            _at_map(loaded, name, system, told)
            for system, lens in lenses.items()
            if (told := counterexample(lens, random.Random(SEED))) is not None
        ]
        findings += broken or [
            _at_map(loaded, name, second, told)
            for first, second in itertools.combinations(lenses, 2)
            if (told := flapping(lenses[first], lenses[second], random.Random(SEED))) is not None
        ]
    return findings


def _at_map(loaded: Loaded, entity: str, system: str, message: str) -> Finding:
    return loaded.positions.finding(("entities", entity, "systems", system, "map"), message, at_key=True)


def _types(table: TableInfo) -> dict[str, str]:
    return {column.name: column.type for column in table.columns}
