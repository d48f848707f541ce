"""Networks that a project allows requests to go to, though they are not public."""

import ipaddress
from typing import Any, Protocol

from connectors.errors import RefusedError
from connectors.http.destinations import Network


class Refusing(Protocol):
    """What makes an error about a key of the project file."""

    def refused(self, key: str, why: str, remedy: str = ...) -> RefusedError: ...


def read_networks(place: Refusing, given: Any) -> tuple[Network, ...]:
    """The networks in a list of texts. Raises RefusedError."""
    try:
        return tuple(ipaddress.ip_network(one) for one in ([] if given is None else given))
    except (TypeError, ValueError) as error:
        raise place.refused("networks", f"it is no list of networks ({error})", 'Write ["10.0.0.0/8"].') from error
