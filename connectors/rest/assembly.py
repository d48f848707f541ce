"""A declaration put together: one client, and an Api for each of its resources."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from connectors.http.budgets import Allowance
from connectors.http.destinations import Destinations
from connectors.remote.surroundings import Notes
from connectors.rest import auths, judging, logins, resources
from connectors.rest.accounts import account
from connectors.rest.api import RestApi
from connectors.rest.auth import Ask, Authority, Keeper, OAuth2, Renewing, jwt, signing, standing
from connectors.rest.client import Client, Manners
from connectors.rest.declaration import Declaration


class NotesKeeper:
    """Keeps a refresh token in the system's notes, once there are any; until then, nowhere."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.notes: Notes | None = None

    def kept(self) -> bytes | None:
        return self.notes.get(self._name) if self.notes is not None else None

    async def keep(self, value: bytes) -> None:
        if self.notes is not None:
            await self.notes.put({self._name: value})


@dataclass(frozen=True, slots=True)
class Assembled:
    """The application of one system. `keeper` is to be given notes before the first request."""

    apis: Mapping[str, RestApi]
    client: Client
    keeper: NotesKeeper


def assembled(system: str, options: Mapping[str, Any]) -> Assembled:
    """Everything that these options declare; nothing is connected yet. Raises RefusedError."""
    said = judging.read(system, options)
    name = said.account or system
    limits = said.limits
    allowance = Allowance(limits.requests, limits.window / 1e6, limits.reserve)
    client = Client(_manners(system, said), account(name, allowance, limits.concurrency))
    keeper = NotesKeeper(f"auth/{name}")
    try:
        client.authority = authority(said, client.ask_token, keeper)
        shared = resources.common(said)
        made = {one: resources.compiled(one, rule, said, shared) for one, rule in said.resources.items()}
    except ValueError as error:
        raise judging.misdeclared(system, error) from error
    return Assembled({one: RestApi(system, compiled, client) for one, compiled in made.items()}, client, keeper)


def authority(said: Declaration, ask: Ask, keeper: Keeper) -> Authority:
    """Who says who we are. Raises ValueError, a sentence that names the setting."""
    auth = said.auth
    if isinstance(auth, auths.OAuth2):
        return Renewing(OAuth2(auth, ask, keeper).fetch)
    if isinstance(auth, auths.Login):
        return Renewing(logins.compiled(auth, said.url, ask).fetch)
    if isinstance(auth, auths.Jwt):
        try:
            jwt(auth, 0)
        except ValueError as error:
            raise ValueError(f"auth.secret: it is no {auth.secret_encoding} text: {error}") from error
        return signing(auth)
    return standing(auth)


def _manners(system: str, said: Declaration) -> Manners:
    token_url = said.auth.token_url if isinstance(said.auth, auths.OAuth2) else said.url
    named = (_place(said.url), _place(token_url), *said.hosts)
    networks = tuple(ipaddress.ip_network(one) for one in said.networks)
    destinations = Destinations(named, networks, said.insecure)
    types = tuple(one.lower() for one in said.content_types)
    return Manners(system, said.url, said.limits, destinations, types, said.encoding == "tagged")


def _place(url: str) -> str:
    """Host and port of an address in the project file, which names it by that."""
    return urlsplit(url).netloc.lower()
