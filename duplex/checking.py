"""What is wrong with a project: in its file, against the systems' own tables, and in its mappings."""

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from connectors.base import ColumnInfo, TableInfo
from connectors.errors import ConnectorsError, RefusedError
from connectors.webhook.settings import read_endpoints
from duplex import policies, systems, unwritable
from schemas.project.columns import check_columns
from schemas.project.findings import Finding
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
    """What can be said without any system: the file by itself, and the functions that it names."""
    tried = await policies.tried(loaded)
    return Checked((*loaded.warnings, *tried.faults), {}, {}, tried.facts)


async def check(loaded: Loaded, connectors: systems.Connectors) -> Checked:
    """Compare the file with the systems' tables, and try every mapping and policy function on generated values."""
    alone = await check_file(loaded)
    found = await systems.discover(loaded.project, connectors)
    tables: dict[tuple[str, str], TableInfo] = {}
    silent: dict[str, ConnectorsError] = {}
    for system, answer in found.items():
        if isinstance(answer, ConnectorsError):
            silent[system] = answer
        else:
            tables |= {(system, entity): table for entity, table in answer.items()}
    findings = [*alone.findings, *unwritable.findings(loaded, connectors), *_webhooks(loaded)]
    findings += [*_against_columns(loaded, tables, silent), *_keys(loaded, tables)]
    if not silent and not any(finding.severity == "error" for finding in findings):
        findings += laws(loaded, tables)
    return Checked(tuple(findings), tables, silent, alone.facts)


def _webhooks(loaded: Loaded) -> Iterator[Finding]:
    """Webhooks that the bridge would not take."""
    names = systems.hooked(loaded.project)
    options = {name: loaded.project.systems[name].options for name in names}
    try:
        read_endpoints(options, dict.fromkeys(names, ""))
    except RefusedError as error:
        yield loaded.positions.finding(("systems", error.system, "webhook"), str(error), at_key=True)


def _against_columns(loaded: Loaded, tables: Tables, silent: Mapping[str, object]) -> list[Finding]:
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
