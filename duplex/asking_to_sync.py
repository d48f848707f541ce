"""Asking a running system without a log to be read now: a note among its own."""

import time
from collections.abc import Sequence

from connectors.kafka_notes import leave
from connectors.remote.surroundings import ASKED
from duplex import systems, topics
from duplex.usage import UsageError
from schemas.project.kafka import client_options
from schemas.project.model import Project


async def ask(project: Project, system: str, entity: str | None = None) -> Sequence[str]:
    """Note that every row of these entities is wanted; returns which.

    Raises UsageError, and UnreachableError or RefusedError where it cannot be noted.
    """
    held = {name: one.systems[system] for name, one in project.entities.items() if system in one.systems}
    _require(project, system, entity, list(held))
    wanted = [entity] if entity else list(held)
    at_us = str(time.time_ns() // 1000).encode()
    asked: dict[str, bytes | None] = {f"{ASKED}{held[name].table}": at_us for name in wanted}
    await leave(client_options(project.kafka), system, topics.names(project).notes(system), asked)
    return wanted


def _require(project: Project, system: str, entity: str | None, held: list[str]) -> None:
    without = systems.without_log(project)
    if system not in without:
        known = f"It has {', '.join(without)}." if without else "It has none."
        why = "it keeps a log, and is read as it changes" if system in systems.used(project) else "there is none such"
        raise UsageError("no system that is read by schedule", system, why, f"Name one without a log. {known}")
    if entity is not None and entity not in held:
        raise UsageError("no such entity", f"--entity {entity}", f"{system} has none", f"It has {', '.join(held)}.")
