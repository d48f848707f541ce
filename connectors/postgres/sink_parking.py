"""Commands that wait in the target's own database for a row they refer to, and when they are tried again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.postgres.statements import statement
from schemas.codec import Codec
from schemas.messages import Command

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
LONGEST_LOCK_WAIT_MS = 250


@dataclass(frozen=True, slots=True)
class Due:
    """A parked command to try now. `expired`: it waited as long as it may; this is the last try."""

    command: Command
    attempts: int
    expired: bool


def wait_s(attempts: int) -> float:
    """How long a command waits after this many tries, in seconds."""
    return float(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(attempts, 16)))


def lock_wait_ms(attempts: int) -> int:
    """How long the next try may wait for a table that others write to: more each time, never long for those behind."""
    return int(min(LONGEST_LOCK_WAIT_MS, 5 * 2 ** min(attempts, 16)))


async def park(connection: Any, codec: Codec, waiting: Sequence[tuple[Command, str]]) -> None:
    """Put commands aside, with the reason of each. One that is parked already stays as it is."""
    commands = [command for command, _ in waiting]
    await connection.execute(
        statement("sink_park"),
        [command.id for command in commands],
        [command.entity for command in commands],
        [command.record_id for command in commands],
        [command.partition for command in commands],
        [command.offset for command in commands],
        [codec.encode(command) for command in commands],
        [reason for _, reason in waiting],
        FIRST_WAIT_S,
    )


async def due(connection: Any, codec: Codec, entities: Sequence[str], limit: int, longest_s: float) -> list[Due]:
    """Parked commands whose time has come, locked until the transaction ends. Raises UndecodableError."""
    rows = await connection.fetch(statement("sink_due"), list(entities), limit, longest_s)
    return [Due(codec.decode_as(row["payload"], Command), row["attempts"], row["expired"]) for row in rows]


async def settle(connection: Any, tried: Sequence[Due], waiting: Sequence[tuple[Command, str]]) -> None:
    """Forget the tried commands that got their echo; send the others back to wait."""
    attempts = {item.command.id: item.attempts for item in tried}
    still = {command.id for command, _ in waiting}
    await connection.execute(
        statement("sink_unpark"),
        [name for name in attempts if name not in still],
        [command.id for command, _ in waiting],
        [reason for _, reason in waiting],
        [wait_s(attempts[command.id]) for command, _ in waiting],
    )
