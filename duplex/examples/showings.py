"""What the player needs of an example: where it takes place, and what is played."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from duplex.examples.installation import Recipe
from duplex.examples.steps import Pair, Step


@dataclass(frozen=True, slots=True)
class Place:
    """`folder` is the showing's own, `installation` that of its application (None: it has none); `databases` are open
    connections to its databases, whose tables are made; webhooks go to `bridge_port` of the loopback interface."""

    folder: Path
    installation: Path | None
    bridge_port: int
    databases: Mapping[str, asyncpg.Connection]


@dataclass(frozen=True, slots=True)
class Showing:
    """`settings` are the variables that the project file names besides Kafka's and the databases'; `turn` are lines
    that a person may follow afterwards."""

    pair: Pair
    steps: Sequence[Step]
    settings: Mapping[str, str] = field(default_factory=dict)
    turn: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """`databases` are those that the program makes; `opened` starts the application and puts the people in place."""

    name: str
    headline: str
    entity: str
    databases: tuple[str, ...]
    opened: Callable[[Place], AbstractAsyncContextManager[Showing]]
    recipe: Recipe | None = None
