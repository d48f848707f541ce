"""What is common to all systems without a log, in a system's part of the project file: judged and typed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.errors import RefusedError
from connectors.remote.api import Api
from connectors.remote.flows import Flow, read_flows, usual
from connectors.remote.hints import Rule, read_rules
from connectors.remote.sweeps import Doubt

COMMON = frozenset({"flows", "webhook", "concurrency", "doubt"})
"""The settings of a system that this judges; all others are the connector's own."""
CONCURRENCY = 8
USUAL_DOUBT = Doubt()


@dataclass(frozen=True, slots=True)
class Settings:
    """How changes are noticed (by resource; the usual ways where the project names none), which rows webhooks are
    about, how many rows are written at a time, when a listing is doubted, and whether a bridge keeps deliveries."""

    flows: Mapping[str, tuple[Flow, ...]] = field(default_factory=dict)
    records: tuple[Rule, ...] = ()
    concurrency: int = CONCURRENCY
    doubt: Doubt = USUAL_DOUBT
    is_hooked: bool = False

    def flows_of(self, api: Api) -> tuple[Flow, ...]:
        """The flows of a resource."""
        return self.flows.get(api.name) or usual(api.abilities.since, self.is_told_of(api.name))

    def is_told_of(self, resource: str) -> bool:
        """Whether webhooks are about a resource."""
        return any(rule.resource == resource for rule in self.records)

    def webhook_of(self, api: Api) -> Flow | None:
        """The flow by which deliveries about a resource are taken; None: they are not."""
        if not self.is_told_of(api.name):
            return None
        return next((flow for flow in self.flows_of(api) if flow.kind == "webhook"), None)


def read_settings(system: str, options: Mapping[str, Any], resources: Sequence[str]) -> Settings:
    """The common settings among these options. Raises RefusedError naming the one that is unfit."""
    webhook = options.get("webhook")
    records = webhook.get("records") if isinstance(webhook, Mapping) else None
    return Settings(
        flows=read_flows(system, options.get("flows"), resources),
        records=read_rules(system, records, resources),
        concurrency=_whole(system, "concurrency", options.get("concurrency", CONCURRENCY), 64),
        doubt=_doubt(system, options.get("doubt")),
        is_hooked=webhook is not None,
    )


def _doubt(system: str, value: Any) -> Doubt:
    if value is None:
        return USUAL_DOUBT
    known = USUAL_DOUBT
    share = value.get("share", known.share) if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or set(value) - {"share", "rows"} or not isinstance(share, int | float):
        raise _refused(system, "doubt", f"{value!r} is not {{share, rows}}", "Write `doubt: {share: 0.2, rows: 10}`.")
    if isinstance(share, bool) or not 0 < share <= 1:
        raise _refused(system, "doubt.share", f"{share!r} is no share", "Give a number above 0, at most 1.")
    return Doubt(float(share), _whole(system, "doubt.rows", value.get("rows", known.rows), 1_000_000))


def _whole(system: str, key: str, value: Any, greatest: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= greatest:
        raise _refused(system, key, f"{value!r} is not a whole number from 1 to {greatest}", "Correct it.")
    return value


def _refused(system: str, key: str, why: str, remedy: str) -> RefusedError:
    return RefusedError(system, f"setting systems.{system}.{key}", why, remedy)
