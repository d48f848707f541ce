"""How many requests an address may send that nobody has verified. Pure: times are seconds of any origin, and passed in.

Every request is charged to its address when it comes, and the charge is taken back when it is verified. So one who
sends deliveries that are signed owes nothing, however many they are; one who guesses runs out of credit, which grows
back with time.

Only addresses that owe something are kept. Where they become too many, further ones share one account: then an attack
from very many places can delay a sender that is new, and nothing grows.
"""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

from connectors.webhook.endpoints import Rate

MOST_ADDRESSES = 10_000
OTHERS = "others"


@dataclass(eq=False)
class StrangerError(Exception):
    """An address that has used up its requests. `wait_s`: until it may send one."""

    wait_s: float


@dataclass(slots=True)
class _Account:
    owed: float
    at_s: float


class Strangers:
    """What addresses owe. `allowed`: so many requests at once, and as many again in every window."""

    def __init__(self, allowed: Rate, most: int = MOST_ADDRESSES) -> None:
        self._limit = float(allowed.requests)
        self._per_s = allowed.requests / allowed.window_s
        self._most = most
        self._accounts: OrderedDict[str, _Account] = OrderedDict()

    def __len__(self) -> int:
        return len(self._accounts)

    def charge(self, address: str, now_s: float) -> str:
        """One more request; whose account it was charged to, for `take_back`. Raises StrangerError."""
        account = self._accounts.get(address)
        if account is None:
            address = self._opened(address, now_s)
            account = self._accounts[address]
        if now_s > account.at_s:
            account.owed = max(0.0, account.owed - (now_s - account.at_s) * self._per_s)
            account.at_s = now_s
        if account.owed + 1.0 > self._limit:
            raise StrangerError((account.owed + 1.0 - self._limit) / self._per_s)
        account.owed += 1.0
        return address

    def take_back(self, charged: str) -> None:
        """A request charged to this account was verified."""
        account = self._accounts.get(charged)
        if account is None:
            return
        account.owed -= 1.0
        if account.owed <= 0.0:
            del self._accounts[charged]

    def _opened(self, address: str, now_s: float) -> str:
        if len(self._accounts) >= self._most:
            self._forget(now_s)
        name = address if len(self._accounts) < self._most else OTHERS
        if name not in self._accounts:
            self._accounts[name] = _Account(0.0, now_s)
        return name

    def _forget(self, now_s: float) -> None:
        """Let go of those that owe nothing any more, the longest known first."""
        while self._accounts:
            name, account = next(iter(self._accounts.items()))
            if account.owed > (now_s - account.at_s) * self._per_s:
                # It may stand before others that owe nothing; next time it stands behind them.
                self._accounts.move_to_end(name)
                return
            del self._accounts[name]


@lru_cache(maxsize=4096)
def household(address: str) -> str:
    """What an address is judged by: of IPv6, where each has very many, the network of 64 bits; of text that is no
    address, the text."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))
