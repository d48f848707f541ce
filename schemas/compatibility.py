"""The lock on the message schemas: what has once been written to a topic must stay readable.

`python -m schemas.compatibility` compares every envelope with `schemas.lock` and fails on a change that is not
locked, or that readers of today could not follow back. `--lock` writes the lock, and keeps the schema that was locked
before in `envelopes/earlier`, by which the codec reads what was written with it; an incompatible change is locked only
with `--allow-incompatible`, for a version that no log out there was written with.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import avro.schema
import msgspec
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from schemas.codec import schema_fingerprint
from schemas.errors import IncompatibleSchemaError

ENVELOPES = Path(__file__).parent / "envelopes"
LOCK = Path(__file__).parent / "schemas.lock"
REMEDY = "run `python -m schemas.compatibility --lock` and commit schemas.lock"


class UnlockedSchemaError(IncompatibleSchemaError):
    """A message schema that is not the locked one, though old logs could be read with it."""

    def __str__(self) -> str:
        return f"schema {self.subject} is not what schemas.lock says: {'; '.join(self.reasons)}"


class Locked(msgspec.Struct, frozen=True):
    """A schema as it was last locked. `version` counts the changes of its subject, from 1."""

    version: int
    fingerprint: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A schema against its locked version. `backward`: why today's reader cannot read what was written then;
    `forward`: why readers of then cannot read what is written today. Empty where they can.
    """

    subject: str
    changed: bool
    backward: tuple[str, ...] = ()
    forward: tuple[str, ...] = ()


def incompatibilities(reader: Mapping[str, Any], writer: Mapping[str, Any]) -> tuple[str, ...]:
    """Why a reader with one schema cannot read what was written with another; empty if it can."""
    new, old = (avro.schema.parse(json.dumps(_bare(schema))) for schema in (reader, writer))
    checker: Any = ReaderWriterCompatibilityChecker
    result = checker().get_compatibility(new, old)
    if result.compatibility is SchemaCompatibilityType.compatible:
        return ()
    kinds = ", ".join(sorted({kind.value.replace("_", " ") for kind in result.incompatibilities}))
    return (f"{kinds}: {'; '.join(sorted(result.messages))} (at {', '.join(sorted(result.locations))})",)


def compare(subject: str, schema: dict[str, Any], locked: Locked) -> Comparison:
    """How a schema stands to its locked version, in both directions. Wording (`doc`) does not count."""
    if _bare(schema) == _bare(locked.schema):
        return Comparison(subject, changed=False)
    backward = incompatibilities(schema, locked.schema)
    return Comparison(subject, True, backward, incompatibilities(locked.schema, schema))


def _bare(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _bare(value) for key, value in node.items() if key != "doc"}
    return [_bare(one) for one in node] if isinstance(node, list) else node


def envelopes(folder: Path = ENVELOPES) -> dict[str, dict[str, Any]]:
    """The schemas of today, by subject: the name of the file."""
    return {path.stem: msgspec.json.decode(path.read_bytes()) for path in sorted(folder.glob("*.avsc"))}


def read_lock(path: Path = LOCK) -> dict[str, Locked]:
    """The locked schemas, by subject; none if there is no lock yet."""
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Locked]) if path.exists() else {}


def check_earlier(
    schemas: Mapping[str, dict[str, Any]], locked: Mapping[str, Locked], earlier: Mapping[str, dict[str, Any]]
) -> list[IncompatibleSchemaError]:
    """Every earlier version that is not kept, or that today's reader cannot read; `earlier` by `subject.version`."""
    errors = []
    for subject, was in locked.items():
        for version in range(1, was.version):
            kept = earlier.get(f"{subject}.{version}")
            if kept is None:
                reason = f"its version {version} is not in envelopes/earlier, so logs that hold it cannot be read"
                errors.append(IncompatibleSchemaError(subject, (reason,)))
            elif reasons := incompatibilities(schemas[subject], kept) if subject in schemas else ():
                errors.append(IncompatibleSchemaError(f"{subject} (against version {version})", reasons))
    return errors


def keep_earlier(folder: Path, locked: Mapping[str, Locked], fresh: Mapping[str, Locked]) -> None:
    """Keep the schema that was locked before, of every subject that has a new version."""
    for subject, was in locked.items():
        if subject in fresh and fresh[subject].version > was.version:
            (folder / "earlier").mkdir(exist_ok=True)
            text = msgspec.json.format(msgspec.json.encode(was.schema), indent=2) + b"\n"
            (folder / "earlier" / f"{subject}.{was.version}.avsc").write_bytes(text)


def check(schemas: Mapping[str, dict[str, Any]], locked: Mapping[str, Locked]) -> list[IncompatibleSchemaError]:
    """Every subject that is not what the lock says: incompatible, or changed or new without being locked."""
    errors: list[IncompatibleSchemaError] = [
        UnlockedSchemaError(subject, ("it is new", REMEDY)) for subject in schemas.keys() - locked.keys()
    ]
    for subject, was in locked.items():
        if subject not in schemas:
            errors.append(IncompatibleSchemaError(subject, ("was removed, so logs that hold it cannot be read",)))
            continue
        found = compare(subject, schemas[subject], was)
        if found.backward:
            errors.append(IncompatibleSchemaError(subject, found.backward))
        elif found.changed:
            note = f"readers of version {was.version} could not follow: {found.forward[0]}" if found.forward else ""
            errors.append(UnlockedSchemaError(subject, tuple(filter(None, ("it has changed", note, REMEDY)))))
    return sorted(errors, key=lambda error: error.subject)


def lock(
    schemas: Mapping[str, dict[str, Any]], locked: Mapping[str, Locked], *, allow_incompatible: bool = False
) -> dict[str, Locked]:
    """The new lock. Raises IncompatibleSchemaError for a change that old logs cannot follow, unless it is allowed."""
    result: dict[str, Locked] = {}
    for subject, schema in schemas.items():
        was = locked.get(subject)
        found = compare(subject, schema, was) if was else Comparison(subject, changed=True)
        if found.backward and not allow_incompatible:
            raise IncompatibleSchemaError(subject, found.backward)
        version = (was.version if was else 0) + (1 if found.changed else 0)
        result[subject] = Locked(version, schema_fingerprint(json.dumps(schema)).hex(), schema)
    for subject in locked.keys() - schemas.keys():
        if not allow_incompatible:
            raise IncompatibleSchemaError(subject, ("was removed, so logs that hold it cannot be read",))
    return result


def main(arguments: Sequence[str], folder: Path = ENVELOPES, path: Path = LOCK) -> int:
    """The command. 0: locked and unchanged, or newly locked; 1: not so; 2: unknown argument."""
    unknown = set(arguments) - {"--lock", "--allow-incompatible"}
    if unknown:
        print(f"unknown argument {min(unknown)}; there are --lock and --allow-incompatible", file=sys.stderr)
        return 2
    schemas, locked = envelopes(folder), read_lock(path)
    if "--lock" not in arguments:
        errors = check(schemas, locked) or check_earlier(schemas, locked, envelopes(folder / "earlier"))
        for error in errors:
            print(error, file=sys.stderr)
        return 1 if errors else 0
    try:
        fresh = lock(schemas, locked, allow_incompatible="--allow-incompatible" in arguments)
    except IncompatibleSchemaError as error:
        print(error, file=sys.stderr)
        return 1
    keep_earlier(folder, locked, fresh)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(fresh), indent=1) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
