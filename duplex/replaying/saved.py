"""How far a fold has come, kept on disk, so that it goes on where it was stopped. Written whole or not at all."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from duplex.replaying.folds import Notes
from duplex.supervisor.presence import folder

FORMAT = 1


class Progress(msgspec.Struct):
    """One partition: the next offset to fold, the true states, and those that have parted, with their notes."""

    next_offset: int
    content: dict[bytes, bytes] = {}
    apart: dict[bytes, bytes] = {}
    notes: dict[bytes, Notes] = {}
    last_us: int = 0
    format: int = FORMAT


def digest(arguments: Iterable[str]) -> str:
    """What tells one replay from another: its arguments, and the contents of the files they name."""
    return hashlib.sha256("\x00".join(arguments).encode()).hexdigest()[:24]


def path(project: Path, name: str, entity: str, partition: int) -> Path:
    """Where the progress of the replay of this name is kept, for one partition."""
    return folder(project) / "replay" / f"{name}.{entity}.{partition}.state"


def load(place: Path) -> Progress | None:
    """The progress kept there; None where there is no file, or one of another format."""
    try:
        found = msgspec.msgpack.decode(place.read_bytes(), type=Progress)
    except (FileNotFoundError, msgspec.DecodeError, msgspec.ValidationError):
        return None
    return found if found.format == FORMAT else None


def save(place: Path, progress: Progress) -> None:
    """Keep this progress in place of what was kept. For the owner's eyes only: it holds the records' values."""
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_suffix(".new")
    descriptor = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.msgpack.encode(progress))
    draft.replace(place)


def forget(place: Path) -> None:
    """Start over the next time."""
    place.unlink(missing_ok=True)
