"""A schema registry over real HTTP on the loopback interface: what it answers, and what it does not."""

import ipaddress
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from connectors.errors import RefusedError, UnreachableError
from connectors.http.destinations import Destinations
from connectors.kafka.errors import UnreadableError
from connectors.kafka.registry import RegistryClient
from connectors.kafka.settings import Registry
from connectors.kafka.wires import Written

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
ADDRESS = {"type": "record", "name": "shop.Address", "fields": [{"name": "city", "type": "string"}]}
PERSON = {"type": "record", "name": "shop.Person", "fields": [{"name": "home", "type": "shop.Address"}]}


class FakeRegistry:
    """Answers as a registry does; `asked` are the paths."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[str] = []
        self.authorization: str | None = None

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        self.authorization = request.headers.get("Authorization")
        status, body = self.answers.get(request.path, (404, {"error_code": 40403}))
        return web.Response(body=body if isinstance(body, bytes) else msgspec.json.encode(body), status=status)


def schema(value: Any, **more: Any) -> tuple[int, Any]:
    return 200, {"schema": msgspec.json.encode(value).decode(), **more}


@pytest.fixture
async def registry() -> AsyncIterator[tuple[FakeRegistry, RegistryClient]]:
    fake, application = FakeRegistry(), web.Application()
    application.router.add_get("/{path:.*}", fake.answer)
    server = TestServer(application, host="127.0.0.1")
    await server.start_server()
    destinations = Destinations((f"127.0.0.1:{server.port}",), LOOPBACK, insecure=True)
    client = RegistryClient("legacy", Registry(f"http://127.0.0.1:{server.port}", destinations, "me", "secret"))
    yield fake, client
    await client.close()
    await server.close()


Both = tuple[FakeRegistry, RegistryClient]


async def test_a_schema_is_asked_for_once_with_our_credentials(registry: Both) -> None:
    fake, client = registry
    fake.answers["/schemas/ids/7"] = schema(ADDRESS)
    await client.fetch([7])
    await client.fetch([7])
    found = client.known[7]
    assert isinstance(found, Written) and list(found.shape.fields) == ["city"]
    assert fake.asked == ["/schemas/ids/7"]
    assert fake.authorization == "Basic bWU6c2VjcmV0"


async def test_schemas_that_it_names_are_fetched_too(registry: Both) -> None:
    fake, client = registry
    named = [{"name": "shop.Address", "subject": "address", "version": 3}]
    fake.answers["/schemas/ids/8"] = schema(PERSON, references=named)
    fake.answers["/subjects/address/versions/3"] = schema(ADDRESS)
    await client.fetch([8])
    found = client.known[8]
    assert isinstance(found, Written) and found.shape.fields["home"].fields.keys() == {"city"}


UNUSABLE = [
    ((404, {}), "knows no schema 9"),
    ((200, {"schema": "{}", "schemaType": "PROTOBUF"}), "is PROTOBUF, not Avro"),
    ((200, {"schema": "{"}), "cannot be used"),
    (schema({"type": "nonsense"}), "cannot be used"),
    (schema(PERSON, references=[{"name": "a", "subject": "gone", "version": 1}]), "which the registry lacks"),
]


@pytest.mark.parametrize(("answer", "why"), UNUSABLE)
async def test_a_schema_that_cannot_be_used_is_known_as_such(registry: Both, answer: Any, why: str) -> None:
    fake, client = registry
    fake.answers["/schemas/ids/9"] = answer
    await client.fetch([9])
    found = client.known[9]
    assert isinstance(found, UnreadableError) and why in found.reason


async def test_a_registry_that_does_not_let_us_in_stops_the_source(registry: Both) -> None:
    fake, client = registry
    fake.answers["/schemas/ids/9"] = (401, {})
    with pytest.raises(RefusedError, match="does not let us in"):
        await client.fetch([9])


@pytest.mark.parametrize("answer", [(503, {}), (200, b"<html>"), (302, {})])
async def test_a_registry_that_is_unwell_is_waited_for(registry: Both, answer: Any) -> None:
    fake, client = registry
    fake.answers["/schemas/ids/9"] = answer
    with pytest.raises(UnreachableError, match=r"systems\.legacy\.registry"):
        await client.fetch([9])
    assert 9 not in client.known


async def test_a_registry_that_is_away_is_waited_for() -> None:
    destinations = Destinations(("127.0.0.1:1",), LOOPBACK, insecure=True)
    client = RegistryClient("legacy", Registry("http://127.0.0.1:1", destinations))
    with pytest.raises(UnreachableError):
        await client.fetch([1])
    await client.close()


async def test_a_registry_on_this_machine_must_be_meant() -> None:
    client = RegistryClient("legacy", Registry("http://127.0.0.1:1", Destinations(("127.0.0.1:1",), (), insecure=True)))
    with pytest.raises(RefusedError, match="an address of this machine"):
        await client.fetch([1])
    await client.close()
