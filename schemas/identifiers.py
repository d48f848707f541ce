"""How records, rows and commands are named: one place, so that replay names them alike."""

import uuid

import msgspec

NAMESPACE = uuid.UUID("6b1d1e0c-8a0b-5a56-9d4e-2f0c7d5b3a11")


def local_id(values: list[object] | tuple[object, ...]) -> str:
    """The local id of a row with these key values, in key order: compact JSON array text."""
    return msgspec.json.encode(list(values)).decode()


def row_key(system: str, local: str) -> bytes:
    """The Kafka key of a local row: on changes and links topics, so that both land in one partition."""
    return f"{system}:{local}".encode()


def record_of_key(entity: str, local: str) -> str:
    """The record id where all systems share the primary key (`identity: key`)."""
    return str(uuid.uuid5(NAMESPACE, f"{entity}\x00key\x00{local}"))


def record_of_row(entity: str, system: str, local: str) -> str:
    """The record id of a row that has no natural key."""
    return str(uuid.uuid5(NAMESPACE, f"{entity}\x00row\x00{system}\x00{local}"))


def record_of_natural_key(entity: str, natural_key: str, generation: int) -> str:
    """The record id of the first row to claim a natural key; `generation` counts how often the key was freed."""
    return str(uuid.uuid5(NAMESPACE, f"{entity}\x00natural\x00{natural_key}\x00{generation}"))


def command_id(record_id: str, system: str, number: int) -> str:
    """The id of a command: the record, the system it is for, and the record's count of commands to that system."""
    return f"{record_id}/{system}/{number}"
