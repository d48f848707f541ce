"""Declared resources, compiled: every template and path judged when the project file is read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.remote.api import Abilities
from connectors.rest import answers, columns, paging, paths
from connectors.rest.answers import Judge
from connectors.rest.declaration import Conditional, Declaration, Listing, Request, Resource
from connectors.rest.paging import Paging
from connectors.rest.requests import Common, Prepared, prepared
from connectors.rest.rows import ETAG, Rows
from connectors.rest.templates import Template, tree
from schemas.project.findings import listing, nearest

_ONE = frozenset({"id", "key"})
_SINCE = frozenset({"since", "since_s", "since_ms", "since_us"})
NAMES: dict[str, frozenset[str]] = {
    "list": frozenset({"page", *_SINCE}),
    "removed": frozenset({"page", *_SINCE}),
    "find": frozenset({"page", "columns"}),
    "get": _ONE,
    "create": frozenset({"values", "row", "idempotency_key"}),
    "update": _ONE | {"values", "row", "before", "tag"},
    "delete": _ONE | {"before", "tag"},
}


@dataclass(frozen=True, slots=True)
class Listed:
    """A compiled listing: its request, where its items lie, and how it goes on."""

    request: Prepared
    items: paths.Path | None
    paging: Paging
    by: frozenset[str] = frozenset()
    key: tuple[paths.Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Single:
    """A compiled request for, or a write of, one row. `key` is where an answer holds the key of a new row."""

    request: Prepared
    item: paths.Path | None = None
    key: tuple[paths.Path, ...] = ()
    read_back: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """How a tag is sent: in this header, or where the templates name it."""

    header: str | None
    value: Template


@dataclass(frozen=True, slots=True)
class Compiled:
    """A resource that can be asked for."""

    name: str
    setting: str
    rows: Rows
    abilities: Abilities
    judge: Judge
    list_: Listed
    since: Listed | None
    overlap_us: int
    get: Single
    create: Single | None
    update: Single | None
    delete: Single | None
    find: tuple[Listed, ...]
    removed: Listed | None
    condition: Condition | None
    idempotency_header: str | None


def common(said: Declaration) -> Common:
    """What all requests share. Raises ValueError."""
    headers, _ = tree(said.headers, "headers", ())
    query, _ = tree(said.query, "query", ())
    return Common(said.url, headers, query)


def compiled(name: str, said: Resource, whole: Declaration, shared: Common) -> Compiled:
    """Raises ValueError, a sentence that names the setting."""
    setting = f"resources.{name}"
    rows = _rows(said, whole, setting)
    writes = {kind: _write(said, kind, setting, shared) for kind in ("create", "update", "delete")}
    _judge_condition(said, writes, setting)
    _judge_places(rows, writes, setting)
    since = said.list_.since
    removed = None if said.removed is None else _listed(said.removed, f"{setting}.removed", "removed", shared)
    return Compiled(
        name, setting, rows, _abilities(said), _answers(said, whole, setting),
        list_=_listed(said.list_, f"{setting}.list", "list", shared),
        since=None if since is None else _changed(said.list_, f"{setting}.list", shared),
        overlap_us=0 if since is None or since.overlap is None else since.overlap,
        get=Single(_request(said.get, f"{setting}.get", "get", shared), _path(said.get.item, f"{setting}.get.item")),
        **writes,
        find=tuple(_found(said, index, setting, shared) for index in range(len(said.find))),
        removed=removed,
        condition=_condition(said.conditional, setting),
        idempotency_header=said.idempotency.header if said.idempotency else None,
    )  # fmt: skip


def _rows(said: Resource, whole: Declaration, setting: str) -> Rows:
    tagged = whole.encoding == "tagged"
    made = {
        name: columns.compiled(name, rule, name in said.key, tagged, f"{setting}.columns.{name}")
        for name, rule in said.columns.items()
    }
    version = _told(said.version, said, f"{setting}.version")
    changed = _told(said.changed, said, f"{setting}.changed")
    tag = said.conditional.tag if said.conditional else None
    how = tag if tag in (None, ETAG) else _told(tag, said, f"{setting}.conditional.tag")
    return Rows(setting, made, tuple(said.key), version, changed, how)


def _told(text: str | None, said: Resource, setting: str) -> str | Template | None:
    """A column's name, or a template of `item`."""
    if text is None or text in said.columns:
        return text
    template = Template(text, setting, {"item"})
    if template.fixed:
        remedy = nearest(text, said.columns) or listing(said.columns)
        raise ValueError(f"{setting}: {text} is neither a column nor a template of item; {remedy}")
    return template


def _abilities(said: Resource) -> Abilities:
    writes = {"c": said.create, "u": said.update, "d": said.delete}
    return Abilities(
        since=said.list_.since is not None,
        removed=said.removed is not None,
        conditional=said.conditional is not None,
        idempotent=said.idempotency is not None,
        marker=said.marker,
        writes=frozenset(letter for letter, request in writes.items() if request is not None),
    )


def _answers(said: Resource, whole: Declaration, setting: str) -> Judge:
    own = [(f"{setting}.answers[{index}]", rule) for index, rule in enumerate(said.answers)]
    shared = [(f"answers[{index}]", rule) for index, rule in enumerate(whole.answers)]
    return answers.compiled([*own, *shared], ("error", whole.error))


def _request(request: Request, setting: str, kind: str, shared: Common) -> Prepared:
    return prepared(request, setting, NAMES[kind], shared)


def _listed(said: Listing, setting: str, kind: str, shared: Common, whole: str | None = None) -> Listed:
    """`whole` is the setting that says how the listing goes on, where that is another."""
    key = _paths(getattr(said, "id", None), f"{setting}.id")
    request = _request(said, setting, kind, shared)
    way = paging.compiled(said, f"{whole or setting}.pagination")
    _judge_paging(said, request, setting)
    return Listed(request, _path(said.items, f"{setting}.items"), way, frozenset(getattr(said, "by", ())), key)


def _judge_paging(said: Listing, request: Prepared, setting: str) -> None:
    """A listing whose requests are all the same would never come to its second page."""
    how = said.pagination
    if how.type in ("page", "offset", "key", "cursor") and not how.parameter and "page" not in request.uses:
        why = f"pages of type {how.type} need parameter, or a template that names page"
        raise ValueError(f"{setting}.pagination: {why}")


def _changed(said: Listing, setting: str, shared: Common) -> Listed:
    """The listing as it is asked for changes only."""
    since = said.since
    assert since is not None
    changed: dict[str, Any] = {"query": {**said.query, **since.query}, "headers": {**said.headers, **since.headers}}
    changed |= {} if since.path is None else {"path": since.path}
    changed |= {} if since.body is None else {"body": since.body}
    return _listed(said.model_copy(update=changed), f"{setting}.since", "list", shared, setting)


def _found(said: Resource, index: int, setting: str, shared: Common) -> Listed:
    return _listed(said.find[index], f"{setting}.find[{index}]", "find", shared)


def _write(said: Resource, kind: str, setting: str, shared: Common) -> Single | None:
    request: Request | None = getattr(said, kind)
    if request is None:
        return None
    where = f"{setting}.{kind}"
    if request.method == "GET":
        raise ValueError(f"{where}.method: a write is no GET; say POST, PUT, PATCH or DELETE")
    if request.body is None and kind != "delete":
        request = request.model_copy(update={"body": "{{ row }}"})
    key = _paths(getattr(request, "id", None), f"{where}.id")
    if key and len(key) != len(said.key):
        raise ValueError(f"{where}.id: it names {len(key)} of the {len(said.key)} columns of the key")
    item = _path(getattr(request, "item", None), f"{where}.item")
    return Single(_request(request, where, kind, shared), item, key, getattr(request, "read_back", False))


def _condition(said: Conditional | None, setting: str) -> Condition | None:
    if said is None:
        return None
    return Condition(said.header, Template(said.value, f"{setting}.conditional.value", {"tag"}))


def _judge_condition(said: Resource, writes: dict[str, Single | None], setting: str) -> None:
    """A condition that is not sent protects nothing, and would be believed to."""
    if said.conditional is not None and said.conditional.header is None:
        for kind in ("update", "delete"):
            write = writes[kind]
            if write is not None and "tag" not in write.request.uses:
                raise ValueError(f"{setting}.conditional: it needs header, or a template of {kind} that names tag")
    create = writes["create"]
    named = create is not None and "idempotency_key" in create.request.uses
    if said.idempotency is not None and said.idempotency.header is None and not named:
        raise ValueError(f"{setting}.idempotency: it needs header, or a template of create with idempotency_key")
    if said.marker is not None and said.columns[said.marker].read_only:
        raise ValueError(f"{setting}.marker: column {said.marker} is read only, so a create cannot set it")


def _judge_places(rows: Rows, writes: dict[str, Single | None], setting: str) -> None:
    """What `row` cannot hold would never be written, and nobody would know."""
    for kind, write in writes.items():
        lost = [name for name, column in rows.columns.items() if not column.read_only and not column.has_place]
        if write is not None and "row" in write.request.uses and lost:
            why = f"{kind} sends row, which cannot hold a numbered place; set read_only: true, or name values.{lost[0]}"
            raise ValueError(f"{setting}.columns.{lost[0]}.path: {why}")


def _path(text: str | None, setting: str) -> paths.Path | None:
    if text is None:
        return None
    try:
        return paths.parse(text)
    except ValueError as error:
        raise ValueError(f"{setting}: {error}") from error


def _paths(texts: str | Sequence[str] | None, setting: str) -> tuple[paths.Path, ...]:
    every: Iterable[str] = () if texts is None else (texts,) if isinstance(texts, str) else texts
    return tuple(path for text in every if (path := _path(text, setting)) is not None)
