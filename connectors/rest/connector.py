"""The REST connector: an application with an HTTP API, declared in the project file."""

from collections.abc import Mapping
from typing import Any

from connectors.base import Kind
from connectors.remote.connector import RemoteConnector
from connectors.remote.settings import COMMON, Settings, read_settings
from connectors.remote.surroundings import Surroundings
from connectors.rest.assembly import Assembled, assembled


class RestConnector(RemoteConnector):
    """Resources of a declaration as `connectors.base.Connector`."""

    def __init__(self, system: str, made: Assembled, settings: Settings) -> None:
        super().__init__(system, made.apis, settings)
        self._made = made

    def attach(self, surroundings: Surroundings) -> None:
        """Take what the process lends; refresh tokens are kept in the notes from here on."""
        super().attach(surroundings)
        self._made.keeper.notes = surroundings.notes


def connector(system: str, pipeline: str, options: Mapping[str, Any]) -> RestConnector:
    """The entry point. Raises RefusedError for settings that are unknown, missing or unfit."""
    own = {name: value for name, value in options.items() if name not in COMMON}
    made = assembled(system, own)
    common = {name: value for name, value in options.items() if name in COMMON}
    return RestConnector(system, made, read_settings(system, common, tuple(made.apis)))


kind = Kind(connector, log=False)
