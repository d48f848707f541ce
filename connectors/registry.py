"""Connectors by name: the entry points of the group `duplex.connectors`, ours and anybody's."""

import difflib
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from connectors.base import Connector, Factory, Kind
from connectors.errors import RefusedError

GROUP = "duplex.connectors"


def kinds() -> tuple[str, ...]:
    """The names of every installed connector, sorted."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def open_connector(kind: str, system: str, pipeline: str, options: Mapping[str, Any]) -> Connector:
    """The connector of one system, made from its settings; nothing is connected yet.

    Raises RefusedError as `kind_of` does, and for settings that the connector does not take.
    """
    return kind_of(kind, system).make(system, pipeline, options)


def kind_of(kind: str, system: str) -> Kind:
    """What a kind of system can do, and what makes its connectors; `system` is whose setting it is.

    Raises RefusedError for a kind that is not installed, cannot be loaded, or is brought by two packages.
    """
    found = [point for point in entry_points(group=GROUP) if point.name == kind]
    if not found:
        raise _unknown(kind, system)
    if len(found) > 1:
        raise _ambiguous(kind, system, found)
    named = _load(found[0], system)
    return named if isinstance(named, Kind) else Kind(named)


def _load(point: EntryPoint, system: str) -> Factory:
    try:
        return cast(Factory, point.load())
    except (ImportError, AttributeError) as error:
        what = f"connector {point.name} ({point.value})"
        raise RefusedError(system, what, f"it cannot be loaded: {error}", "Install its package again.") from error


def _ambiguous(kind: str, system: str, found: Sequence[EntryPoint]) -> RefusedError:
    owners = [f"{_package(point)} ({point.value})" for point in found]
    why = f"more than one package brings it: {', '.join(owners)}"
    return RefusedError(system, f"connector {kind}", why, "Uninstall all but one of them, or have one renamed.")


def _package(point: EntryPoint) -> str:
    return "a package without a name" if point.dist is None else point.dist.name


def _unknown(kind: str, system: str) -> RefusedError:
    near = difflib.get_close_matches(kind, kinds(), n=3, cutoff=0.5)
    remedy = f"Did you mean {' or '.join(near)}?" if near else f"Installed are {', '.join(kinds()) or 'none'}."
    return RefusedError(system, f"connector {kind}", "no such connector is installed", remedy)
