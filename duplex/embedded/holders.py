"""Who needs the embedded servers: they run until the last holder has let go.

`duplex dev start` keeps them until `duplex dev stop`. A demo or a test run holds them through its guard process, so
that they end with it however it ends; a second such program joins in, and the first to leave does not take them away.
"""

from pathlib import Path

import msgspec

from duplex.embedded import processes
from duplex.embedded.processes import ProcessRecord


class Holders(msgspec.Struct, frozen=True):
    """`kept`: until told to stop. `guards`: the processes that hold the servers for as long as they live."""

    kept: bool = False
    guards: tuple[ProcessRecord, ...] = ()

    @property
    def none(self) -> bool:
        return not self.kept and not self.guards

    def alive(self) -> "Holders":
        """Without the guards that died and could not let go."""
        return Holders(self.kept, tuple(guard for guard in self.guards if processes.alive(guard)))

    def joined(self, guard: ProcessRecord | None) -> "Holders":
        """With one more guard, or kept when there is none."""
        return Holders(self.kept, (*self.guards, guard)) if guard else Holders(True, self.guards)

    def left(self, guard: ProcessRecord) -> "Holders":
        """Without that guard."""
        return Holders(self.kept, tuple(other for other in self.guards if other != guard))


def read(path: Path) -> Holders:
    """The holders in the file, dead or alive; nobody when the file is absent or cut short."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Holders)
    except (FileNotFoundError, msgspec.DecodeError):
        return Holders()


def write(path: Path, holders: Holders) -> None:
    """Replace the file as a whole."""
    beside = path.with_suffix(".new")
    beside.write_bytes(msgspec.json.encode(holders))
    beside.replace(path)
