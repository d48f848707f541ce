"""A schema registry of Confluent's protocol, asked for the schemas of Avro messages by their numbers."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import aiohttp
import fastavro
import msgspec
from aiohttp.resolver import DefaultResolver
from fastavro.schema import SchemaParseException

from connectors.errors import RefusedError, UnreachableError
from connectors.http.destinations import DestinationRefusedError, VettingResolver
from connectors.kafka.errors import UnreadableError
from connectors.kafka.settings import Registry
from connectors.kafka.shapes import Shape, of_avro, without_logical_types
from connectors.kafka.wires import Written

TIMEOUT_S = 20.0
MOST_BYTES = 8_000_000
MOST_REFERENCES = 200
ACCEPT = "application/vnd.schemaregistry.v1+json, application/json"


class _Reference(msgspec.Struct):
    subject: str
    version: int


class _Answer(msgspec.Struct):
    schema: str
    schema_type: str = msgspec.field(default="AVRO", name="schemaType")
    references: list[_Reference] = []


class RegistryClient:
    """Keeps every schema that it was ever asked for: a number never changes its meaning."""

    def __init__(self, system: str, settings: Registry) -> None:
        self._known: dict[int, Written | UnreadableError] = {}
        self._system = system
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    @property
    def known(self) -> Mapping[int, Written | UnreadableError]:
        """What was fetched so far, by number."""
        return self._known

    async def fetch(self, numbers: Iterable[int]) -> None:
        """Make these known. Raises UnreachableError while the registry does not answer, and RefusedError where it
        does not let us in; a number that it does not know, or a schema that is unusable, is known as such."""
        for number in numbers:
            if number not in self._known:
                self._known[number] = await self._written(number)

    async def close(self) -> None:
        """Let go of the connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _written(self, number: int) -> Written | UnreadableError:
        answer = await self._get(f"/schemas/ids/{number}")
        if answer is None:
            return UnreadableError(f"the registry knows no schema {number}")
        if answer.schema_type != "AVRO":
            return UnreadableError(f"schema {number} of the registry is {answer.schema_type}, not Avro")
        try:
            return _read([*await self._referenced(answer), answer.schema])
        except (SchemaParseException, msgspec.DecodeError, ValueError, KeyError, TypeError) as error:
            return UnreadableError(f"schema {number} of the registry cannot be used ({error!r})")
        except UnreadableError as error:
            return UnreadableError(f"schema {number} of the registry cannot be used: {error.reason}")

    async def _referenced(self, answer: _Answer) -> list[str]:
        """The texts of the schemas that this one names, each after those that it needs itself."""
        texts: dict[tuple[str, int], str] = {}
        await self._collect(answer, texts)
        return list(texts.values())

    async def _collect(self, answer: _Answer, texts: dict[tuple[str, int], str]) -> None:
        for one in answer.references:
            name = (one.subject, one.version)
            if name in texts:
                continue
            if len(texts) >= MOST_REFERENCES:
                raise UnreadableError(f"it names more than {MOST_REFERENCES} others")
            found = await self._get(f"/subjects/{quote(one.subject, safe='')}/versions/{one.version}")
            if found is None:
                raise UnreadableError(f"it names {one.subject} version {one.version}, which the registry lacks")
            await self._collect(found, texts)
            texts[name] = found.schema

    async def _get(self, path: str) -> _Answer | None:
        url = self._settings.url + path
        try:
            async with self._opened().get(self._settings.destinations.vetted(url), allow_redirects=False) as response:
                data = await response.content.read(MOST_BYTES)
                return self._judged(response.status, data)
        except DestinationRefusedError as error:
            raise RefusedError(self._system, "the schema registry", str(error), "See `networks`.") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(f"{type(error).__name__} {error}".strip()) from error

    def _judged(self, status: int, data: bytes) -> _Answer | None:
        if status == 404:
            return None
        if status in (401, 403):
            why = f"it does not let us in (status {status})"
            remedy = f"Look at systems.{self._system}.registry.username and password."
            raise RefusedError(self._system, "the schema registry", why, remedy)
        if status != 200:
            raise self._unreachable(f"it answers with status {status}")
        try:
            return msgspec.json.decode(data, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._unreachable(f"its answer is not a registry's ({error})") from error

    def _unreachable(self, reason: str) -> UnreachableError:
        return UnreachableError(
            self._system, self._settings.url, f"systems.{self._system}.registry", f"schema registry: {reason}"
        )

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            settings = self._settings
            resolver = VettingResolver(settings.destinations, DefaultResolver())
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                headers={"Accept": ACCEPT, **_authorization(settings)},
            )
        return self._session


def _authorization(settings: Registry) -> dict[str, str]:
    if settings.username is None:
        return {}
    both = f"{settings.username}:{settings.password or ''}".encode()
    return {"Authorization": f"Basic {base64.b64encode(both).decode()}"}


def _read(texts: Sequence[str]) -> Written:
    """The last of these schemas, each of which may name those before it."""
    whole: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    shapes: dict[str, Shape] = {}
    found = None
    for text in texts:
        schema = msgspec.json.decode(text)
        shape = of_avro(fastavro.parse_schema(schema, named_schemas=whole), shapes)
        found = Written(fastavro.parse_schema(without_logical_types(schema), named_schemas=plain), shape)
    assert found is not None
    return found
