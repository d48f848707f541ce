"""Whether the ways in which changes are noticed fit the application, and each other. Nobody is asked for it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.base import Problem, TableSpec
from connectors.remote.api import Api
from connectors.remote.settings import Settings


def problems(system: str, settings: Settings, apis: Mapping[str, Api], specs: Sequence[TableSpec]) -> list[Problem]:
    """What is wrong with the flows of these entities, and with what webhooks are about; each names its setting."""
    return [
        *(problem for spec in specs for problem in _of_entity(system, settings, apis, spec)),
        *_of_bridge(system, settings, apis, specs),
    ]


def _of_entity(system: str, settings: Settings, apis: Mapping[str, Api], spec: TableSpec) -> Iterator[Problem]:
    """What is wrong with the flows of one entity; nothing where there is no such resource."""
    if (api := apis.get(spec.table)) is not None:
        yield from _Noticing(system, settings, api, spec.entity).problems()


@dataclass(frozen=True, slots=True)
class _Noticing:
    """How changes of an entity's resource are noticed."""

    system: str
    settings: Settings
    api: Api
    entity: str

    @property
    def place(self) -> str:
        return f"systems.{self.system}.flows.{self.api.name}"

    def problems(self) -> Iterator[Problem]:
        flows = self.settings.flows_of(self.api)
        kinds = {flow.kind for flow in flows}
        for index, flow in enumerate(flows):
            if (told := self._unfit(flow.kind)) is not None:
                yield Problem(self.system, self.entity, *told, setting=f"{self.place}.{index}")
        if "webhook" not in kinds and self.settings.is_told_of(self.api.name):
            what = f"webhook.records names {self.api.name}, and its flows leave webhook out: no delivery would be read"
            yield self._of_all(what, f"Add webhook to {self.place}, or take the rule out of webhook.records.")
        if not kinds & {"sweep", "removed"} and kinds != {"manual"}:
            hooks = "by webhooks, if at all, and " if "webhook" in kinds else ""
            what = f"deleted rows of {self.api.name} are noticed only {hooks}when `duplex sync now` asks"
            yield self._of_all(what, f"Add a sweep to {self.place}.", fatal=False)

    def _unfit(self, kind: str) -> tuple[str, str] | None:
        """Why a flow of this kind cannot be, and what to do."""
        name = self.api.name
        if kind == "poll" and not self.api.abilities.since:
            return f"{name} cannot be asked for changed rows", f"Take poll out of {self.place}."
        if kind == "removed" and not self.api.abilities.removed:
            return f"{name} has no list of removed rows", f"Take removed out of {self.place}."
        if kind == "webhook" and not self.settings.is_told_of(name):
            what = f"no webhook is about {name}: webhook.records does not name it"
            return what, f"Say there which deliveries are, or take webhook out of {self.place}."
        return None

    def _of_all(self, what: str, remedy: str, fatal: bool = True) -> Problem:
        return Problem(self.system, self.entity, what, remedy, fatal, setting=self.place)


def _of_bridge(
    system: str, settings: Settings, apis: Mapping[str, Api], specs: Sequence[TableSpec]
) -> Iterator[Problem]:
    """Deliveries that are kept and that nobody would read. Where a flow is at odds with them, that is said already."""
    used = [apis[table] for table in dict.fromkeys(spec.table for spec in specs) if table in apis]
    about = list(dict.fromkeys(rule.resource for rule in settings.records))
    is_wanted = any(flow.kind == "webhook" for api in used for flow in settings.flows_of(api))
    if not settings.is_hooked or is_wanted or any(api.name in about for api in used):
        return
    why = f"no entity uses {', '.join(about)}" if about else "webhook.records is missing"
    remedy = f"Say in systems.{system}.webhook.records which rows they are about, or take webhook out."
    what = f"deliveries would be kept and never read: {why}"
    yield Problem(system, None, what, remedy, fatal=False, setting=f"systems.{system}.webhook")
