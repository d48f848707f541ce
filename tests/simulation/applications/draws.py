"""What chance decides before a history begins: which systems there are, what each application can do and does wrong."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from connectors.remote.api import Abilities
from streams.merge.rules import Newest, Rules
from tests.simulation import draws
from tests.simulation.draws import HOUR_US, Profile
from tests.simulation.lenses import Piece, SimpleLens
from tests.simulation.tables import Mistakes, Table
from tests.simulation.themes import Theme

KEY = "k"
THEMES: tuple[Theme, ...] = ("mixed", "clocks", "approvals", "mixed")
APPLICATION_SKEWS_US = (0, 0, 0, -40, -3_000_000, 3_000_000, -HOUR_US, HOUR_US)
Telling = Literal["headers", "retry_after", "bare"]
Paging = Literal["key", "number"]


@dataclass(frozen=True)
class ThingProfile(Profile):
    """As in the simulation; the natural key is a field as well."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The entity's fields."""
        return (*draws.FIELDS, KEY)


@dataclass(frozen=True)
class Nature:
    """What an application is: what its API offers, how it counts requests, what it makes of texts."""

    abilities: Abilities
    versioned: bool
    dated: bool
    unique: bool
    searchable: bool
    touchy: bool
    cut: int | None
    page_size: int
    paging: Paging
    telling: Telling
    limit: int
    window_s: float
    flows: tuple[Any, ...]
    trusting: bool
    skew_us: int


@dataclass(frozen=True)
class Troubles:
    """How often what goes wrong, each a share from 0 to 1. See `Application` and `Process`."""

    busy: float = 0.0
    error_before: float = 0.0
    error_after: float = 0.0
    cut_before: float = 0.0
    cut_after: float = 0.0
    empty: float = 0.0
    partial: float = 0.0
    lost: float = 0.0
    late: float = 0.0
    repeated: float = 0.0
    reordered: float = 0.0
    coalesced: float = 0.0
    hasty: float = 0.0
    killed: float = 0.0
    away: float = 0.0
    others: float = 0.0
    kafka: float = 0.0
    hub: float = 0.0
    slow_s: float = 0.3


CALM = Troubles(slow_s=0.1)


@dataclass(frozen=True)
class Plan:
    """Everything drawn for one history."""

    profile: ThingProfile
    rules: Rules
    databases: Mapping[str, Table]
    applications: Mapping[str, tuple[Table, Nature]]
    skews_us: Mapping[str, int]
    troubles: Troubles
    records: int
    lasting_s: float
    pause_s: float
    at_first: float = 0.4
    revisions: Mapping[str, bool] = field(default_factory=dict)


def plan(pick: random.Random, mistakes: Mistakes) -> Plan:
    """One history's."""
    theme: Theme = pick.choice(THEMES)
    profile = _profile(pick, theme)
    tables = {name: _keyed(table) for name, table in draws.tables(pick, mistakes, theme).items()}
    names = list(tables)[: pick.choice((2, 2, 3, 4))]
    tables = {name: tables[name] for name in names}
    remote = names[: pick.randint(1, len(names))]
    applications = {name: (tables[name], nature(pick)) for name in remote}
    skews_us = {name: pick.choice(profile.skews_us) for name in names}
    skews_us |= {name: one.skew_us for name, (_, one) in applications.items()}
    return Plan(
        profile=profile,
        rules=_rules(pick, tables, profile),
        databases={name: tables[name] for name in names if name not in applications},
        applications=applications,
        skews_us=skews_us,
        troubles=troubles(pick),
        records=pick.choice((1, 2, 3, 4)),
        lasting_s=pick.choice((60.0, 120.0, 240.0)),
        pause_s=pick.choice((0.7, 1.5, 4.0)),
        at_first=pick.choice((0.0, 0.4, 0.8)),
    )


def _profile(pick: random.Random, theme: Theme) -> ThingProfile:
    drawn = draws.profile(pick, theme)
    return ThingProfile(**{name: getattr(drawn, name) for name in drawn.__dataclass_fields__})


def _keyed(table: Table) -> Table:
    lens = table.lens
    pieces = (*lens.pieces, Piece("plain", (KEY,), (KEY,)))
    table.lens = SimpleLens(pieces, lens.together, lens.inward, lens.outward)
    table.new_keys = False
    return table


def _rules(pick: random.Random, tables: dict[str, Table], profile: ThingProfile) -> Rules:
    drawn = draws.rules(pick, tables, profile)
    return replace(drawn, policies={**drawn.policies, KEY: Newest()}, required=(KEY,), horizon_us=None)


def nature(pick: random.Random) -> Nature:
    """One application."""
    chance = pick.random
    versioned, since, removed = chance() < 0.4, chance() < 0.5, chance() < 0.3
    abilities = Abilities(
        since=since,
        removed=removed,
        conditional=chance() < 0.5,
        idempotent=chance() < 0.25,
        marker="marker" if chance() < 0.25 else None,
    )
    sweep = pick.choice((60, 120, 180))
    flows: list[Any] = [{"sweep": f"{sweep}s"}]
    flows += [{"poll": {"every": f"{pick.choice((5, 20))}s"}}] if since and chance() < 0.8 else []
    flows += [{"removed": {"every": "15s"}}] if removed else []
    flows += ["webhook"] if chance() < 0.7 else []
    dated = chance() < 0.7
    return Nature(
        abilities=abilities,
        versioned=versioned,
        dated=dated,
        unique=chance() < 0.5,
        searchable=chance() < 0.9,
        touchy=chance() < 0.2,
        cut=8 if chance() < 0.25 else None,
        page_size=pick.choice((1, 2, 50)),
        paging=pick.choice(("key", "number")),
        telling=pick.choice(("headers", "retry_after", "bare")),
        limit=pick.choice((40, 100, 400)),
        window_s=pick.choice((20.0, 60.0)),
        flows=tuple(flows),
        trusting=(versioned or dated) and chance() < 0.3,
        skew_us=pick.choice(APPLICATION_SKEWS_US),
    )


def troubles(pick: random.Random) -> Troubles:
    """How badly things go: some histories have a little of all, others much of one thing."""
    names = [name for name in Troubles.__dataclass_fields__ if name != "slow_s"]
    level = pick.choice((0.01, 0.04, 0.1))
    drawn = {name: level * pick.choice((0.0, 0.5, 1.0)) for name in names}
    for name in pick.sample(names, 3):
        drawn[name] = pick.choice((0.1, 0.25))
    return Troubles(**drawn, slow_s=pick.choice((0.05, 0.3, 1.5)))
