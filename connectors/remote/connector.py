"""A connector for any application that can be asked for rows: made of one `Api` per resource.

    RemoteConnector("blog", {"members": members, "posts": posts}, settings)

It is `connectors.base.Connector`, and `Attachable`: before its source or its sink is opened it must be given the
surroundings of its process. Source and sink share locks, numbers and notes, so both must come of one connector.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

from connectors.base import Problem, TableInfo, TableSpec
from connectors.errors import RefusedError
from connectors.remote import checks
from connectors.remote.api import Api
from connectors.remote.engine import Clock, Engine, SystemClock
from connectors.remote.settings import Settings
from connectors.remote.sink import RemoteSink
from connectors.remote.source import RemoteSource
from connectors.remote.surroundings import ASKED, Surroundings
from connectors.remote.values import Columns

KINDS_OF_NOTES = ("row", "seen", "command", "fence", "parked")
SINGLE_NOTES = ("sweep", "swept", "poll", "removed", "loaded", "installed")


class RemoteConnector:
    """An application without a log as `connectors.base.Connector`."""

    def __init__(
        self, system: str, apis: Mapping[str, Api], settings: Settings | None = None, clock: Clock | None = None
    ) -> None:
        self._system = system
        self._apis = dict(apis)
        self._settings = settings or Settings()
        self._clock = clock or SystemClock()
        self._engine: Engine | None = None

    @property
    def apis(self) -> Mapping[str, Api]:
        """What each resource is reached by."""
        return self._apis

    def attach(self, surroundings: Surroundings) -> None:
        """Take what the process lends. The last one counts."""
        self._engine = Engine.of(self._system, self._apis, surroundings, self._clock)

    async def discover(self, specs: Sequence[TableSpec]) -> Mapping[str, TableInfo]:
        """The resources of these entities, as they are declared; the application is not asked."""
        return {spec.entity: self._info(self._apis[spec.table], spec) for spec in specs if spec.table in self._apis}

    async def install(self, specs: Sequence[TableSpec]) -> Sequence[str]:
        """Note which entities take part. Raises RefusedError for one that cannot."""
        for problem in (*(one for spec in specs for one in self._problems(spec)), *self.check_flows(specs)):
            if problem.fatal:
                what = f"setting {problem.setting}" if problem.setting else f"entity {problem.entity}"
                raise RefusedError(self._system, what, problem.what, problem.remedy)
        notes = self._attached().surroundings.notes
        new = [spec for spec in specs if notes.get(f"installed/{spec.entity}") != spec.table.encode()]
        await notes.put({f"installed/{spec.entity}": spec.table.encode() for spec in new})
        return [f"resource {spec.table} of {self._system} is read as {spec.entity}" for spec in new]

    async def restart(self, entities: Sequence[str]) -> None:
        """Forget what is known of these entities' rows and commands: every row is read again."""
        notes = self._attached().surroundings.notes
        await notes.put(
            self._forgotten(entities) | {f"installed/{one}": notes.get(f"installed/{one}") for one in entities}
        )

    async def uninstall(self) -> Sequence[str]:
        """Let go of every note. Nothing was made in the application itself."""
        notes = self._attached().surroundings.notes
        entities = [name.removeprefix("installed/") for name in notes.names("installed/")]
        await notes.put(dict.fromkeys(notes.names("")))
        return [f"{entity} of {self._system} is read no more" for entity in entities]

    async def check(self, specs: Sequence[TableSpec]) -> Sequence[Problem]:
        """What does not fit between the project, the declaration and the notes."""
        own = [problem for spec in specs for problem in (*self._problems(spec), *self._uninstalled(spec))]
        return [*own, *self.check_flows(specs)]

    def check_flows(self, specs: Sequence[TableSpec]) -> Sequence[Problem]:
        """What does not fit in the ways in which changes are noticed; told by the settings alone."""
        return checks.problems(self._system, self._settings, self._apis, specs)

    async def rows(self, spec: TableSpec) -> AsyncIterator[Sequence[str]]:
        """Every row as a listing shows it now, page by page. Raises UnreachableError, RefusedError."""
        api = self._api(spec)
        columns, cursor = Columns(api.columns, api.key), None
        while True:
            page = await api.page(cursor)
            yield [columns.image(found.values) for found in page.rows]
            cursor = page.cursor
            if cursor is None:
                return

    def open_source(self, specs: Sequence[TableSpec]) -> RemoteSource:
        """The source. Raises RefusedError without surroundings."""
        return RemoteSource(self._attached(), specs, self._settings)

    def open_sink(self, specs: Sequence[TableSpec]) -> RemoteSink:
        """The sink. Raises RefusedError without surroundings."""
        return RemoteSink(self._attached(), specs, self._settings.concurrency)

    async def sync_now(self, resource: str | None = None) -> None:
        """Let a sweep begin: of one resource, or of all."""
        note = f"{ASKED}{resource or ''}"
        await self._attached().surroundings.notes.put({note: str(self._clock.now_us()).encode()})

    async def close(self) -> None:
        """Close every resource's connections."""
        for api in self._apis.values():
            await api.close()

    def _attached(self) -> Engine:
        if self._engine is None:
            what = "a connector for an application without a log"
            raise RefusedError(self._system, what, "it was given no place for notes", "Attach it to its surroundings.")
        return self._engine

    def _api(self, spec: TableSpec) -> Api:
        api = self._apis.get(spec.table)
        if api is None:
            known = ", ".join(sorted(self._apis)) or "none"
            what = f"entity {spec.entity}, table {spec.table}"
            raise RefusedError(self._system, what, "there is no such resource", f"Declared are {known}.")
        return api

    def _info(self, api: Api, spec: TableSpec) -> TableInfo:
        refusal = f"its key is ({', '.join(api.key)})" if spec.key not in (None, api.key) else None
        fingerprint = Columns(api.columns, api.key).fingerprint
        return TableInfo(api.name, tuple(api.columns), api.key, fingerprint, refusal or _unremovable(api, spec))

    def _problems(self, spec: TableSpec) -> Iterator[Problem]:
        api = self._apis.get(spec.table)
        if api is None:
            yield self._problem(spec, f"there is no resource {spec.table}", "Declare it, or correct the name.")
            return
        missing = sorted({*spec.columns, *spec.constants, *(spec.key or ())} - {column.name for column in api.columns})
        if missing:
            yield self._problem(spec, f"resource {api.name} has no column {missing[0]}", "Declare it, or the mapping.")
        if (refusal := _unremovable(api, spec)) is not None:
            yield self._problem(spec, refusal, "Give this system another way in `on_delete`.")

    def _uninstalled(self, spec: TableSpec) -> Iterator[Problem]:
        if self._engine is not None and self._engine.surroundings.notes.get(f"installed/{spec.entity}") is None:
            yield self._problem(spec, f"resource {spec.table} is not read", "Run `duplex apply`.")

    def _problem(self, spec: TableSpec, what: str, remedy: str) -> Problem:
        return Problem(self._system, spec.entity, what, remedy)

    def _forgotten(self, entities: Sequence[str]) -> dict[str, bytes | None]:
        notes = self._attached().surroundings.notes
        many = [f"{kind}/{entity}/" for entity in entities for kind in KINDS_OF_NOTES]
        names = [name for prefix in many for name in notes.names(prefix)]
        return dict.fromkeys([*names, *(f"{kind}/{entity}" for entity in entities for kind in SINGLE_NOTES)])


def _unremovable(api: Api, spec: TableSpec) -> str | None:
    """Why rows cannot be deleted as the mapping says."""
    removal = spec.removal
    if removal.mode == "archive":
        return "deleted rows cannot be archived in an application"
    if removal.mode == "inactive":
        return _unmarkable(api, spec)
    return None


def _unmarkable(api: Api, spec: TableSpec) -> str | None:
    name = spec.removal.column
    if name is None or name not in {column.name for column in api.columns}:
        return f"it has no column {name} to mark deleted rows with"
    if name in api.key:
        return f"column {name}, which marks deleted rows, belongs to its key"
    if name in spec.columns:
        return f"column {name} marks deleted rows, so it cannot be mapped to a field"
    if spec.removal.value == spec.removal.restore:
        return f"column {name} is to hold the same value in deleted rows and in others"
    return None
