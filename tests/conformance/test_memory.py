"""The in-memory connector against the suite."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from connectors import memory
from schemas import identifiers
from tests.conformance.removals import RemovalSuite
from tests.conformance.suite import ConformanceSuite

CONTACTS = {
    "id": "bigint",
    "email": "text",
    "first_name": "text",
    "last_name": "text",
    "credit": "numeric(20,2)",
    "active": "boolean",
    "details": "jsonb",
    "company": "bigint",
}


class MemorySubject:
    def __init__(self, name: str) -> None:
        self.connector = memory.connector("crm", "shop", {"name": name})
        self.data = memory.system(name)
        self.data.create_table("companies", {"id": "bigint", "name": "text"}, ["id"], generated=True)
        rules = {"required": frozenset({"email"}), "unique": (("email",),), "references": {"company": "companies"}}
        self.data.create_table("contacts", CONTACTS, ["id"], generated=True, **rules)
        kept = {"id": "bigint", "email": "text", "first_name": "text", "note": "text"}
        self.data.create_table("contacts_archive", kept, ["id"])

    async def insert(self, table: str, **values: Any) -> str:
        return identifiers.local_id(self.data.insert(table, **values))

    async def update(self, table: str, local_id: str, **values: Any) -> None:
        self.data.update(table, tuple(msgspec.json.decode(local_id)), **values)

    async def delete(self, table: str, local_id: str) -> None:
        self.data.delete(table, tuple(msgspec.json.decode(local_id)))

    async def waiting(self) -> bool:
        return bool(self.data.parked)

    async def archived(self) -> list[tuple[str, str, dict[str, Any]]]:
        return [(one.entity, one.local_id, msgspec.json.decode(one.row)) for one in self.data.archive]


class TestMemory(ConformanceSuite):
    @pytest.fixture
    def subject(self, request: pytest.FixtureRequest) -> Iterator[MemorySubject]:
        name = request.node.nodeid
        yield MemorySubject(name)
        memory.forget(name)


class TestMemoryRemovals(RemovalSuite):
    @pytest.fixture
    def removing(self, request: pytest.FixtureRequest) -> Iterator[MemorySubject]:
        name = request.node.nodeid
        yield MemorySubject(name)
        memory.forget(name)
