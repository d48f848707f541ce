"""What the bridge knows of a system whose application sends webhooks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from connectors.webhook.signatures import Scheme

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Rate:
    """Deliveries that are taken within a window."""

    requests: int
    window_s: float


@dataclass(frozen=True, slots=True)
class Remembered:
    """For how long, and how many of, the ids of deliveries are remembered."""

    time_s: float = 86_400.0
    count: int = 200_000


@dataclass(frozen=True, slots=True)
class Challenge:
    """A request that asks for a text back: the one at `query` or `body`, if every `required` one is as it says."""

    method: Literal["GET", "POST"]
    query: str | None
    body: str | None
    required: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One system's. `scheme` None: nothing is verified. `url`: the address as the application knows it, where requests
    do not show it. `keep`: headers that are kept, in lower case.
    """

    system: str
    topic: str
    path: str
    scheme: Scheme | None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    url: str | None = None
    id_header: str | None = None
    id_path: str | None = None
    keep: frozenset[str] = frozenset({"content-type"})
    body_limit_bytes: int = 1024**2
    depth_limit: int = 64
    rate: Rate | None = None
    allow_from: tuple[Network, ...] = ()
    remembered: Remembered = Remembered()
    challenge: Challenge | None = None
