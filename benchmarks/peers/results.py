"""The figures of a run, a JSON line each, written as they are made: a run that was stopped can be read."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from benchmarks.report import Sample


class Start(msgspec.Struct, frozen=True, tag="start"):
    """What was measured on, and how much."""

    machine: dict[str, str]
    plan: dict[str, str]


class Made(msgspec.Struct, frozen=True, tag="sample"):
    """One sample of one benchmark."""

    benchmark: str
    sample: Sample


class Failed(msgspec.Struct, frozen=True, tag="failure"):
    """A peer that did not do its part, or was left out."""

    what: str


Entry = Start | Made | Failed


def append(path: Path, entry: Entry) -> None:
    """Add a line."""
    with path.open("ab") as file:
        file.write(msgspec.json.encode(entry) + b"\n")


def read(path: Path) -> Iterator[Entry]:
    """The lines of a file; a last one that was cut short is left out."""
    lines = path.read_bytes().splitlines(keepends=True)
    for line in lines:
        if line.endswith(b"\n"):
            yield msgspec.json.decode(line, type=Entry)


def samples(entries: Iterator[Entry]) -> Mapping[str, list[Sample]]:
    """The samples by benchmark."""
    found: dict[str, list[Sample]] = {}
    for entry in entries:
        if isinstance(entry, Made):
            found.setdefault(entry.benchmark, []).append(entry.sample)
    return found
