"""Which rows a webhook's delivery is about: the setting `webhook.records`, judged, compiled, and applied.

    webhook:
      records:
        - resource: members
          id: member.current.id | member.previous.id     # paths in the body; several for a key of several columns
          when: "has(member.current)"                    # CEL: otherwise the delivery is not about such a row
          deleted: "!has(member.current.id)"             # CEL: the row is said to be gone
          each: events                                   # a list: every item of it is about a row
          fetch: false                                   # the row itself is in the delivery, at `row`
          row: member.current

In CEL the body's (or item's) own keys are names, beside `body`, `item` and `headers`.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import msgspec
import structlog

from connectors.errors import RefusedError
from connectors.remote.api import Api, Found
from connectors.remote.surroundings import Hook
from connectors.remote.values import decode

log = structlog.get_logger(__name__)

OPTIONS = ("resource", "id", "when", "deleted", "each", "fetch", "row")
_STEP = re.compile(r"([A-Za-z_$@][\w$@-]*)((?:\[\d+\])*)")


@runtime_checkable
class Payloads(Protocol):
    """An `Api` that can read a row out of a webhook's body."""

    def found(self, payload: Any) -> Found:
        """The row in this part of a body. Raises ValueError for what is no row."""
        ...


@dataclass(frozen=True, slots=True)
class Rule:
    """One way in which a delivery is about rows. `ids`: for each key column, paths of which the first with a value
    counts; a path is a tuple of names and places.
    """

    resource: str
    ids: tuple[tuple[tuple[str | int, ...], ...], ...]
    when: str | None = None
    deleted: str | None = None
    each: tuple[str | int, ...] | None = None
    fetch: bool = True
    row: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class Hint:
    """A row that a delivery is about: its key's values, whether it is said to be gone, and the row if it is to be
    trusted."""

    resource: str
    key: tuple[Any, ...]
    is_gone: bool = False
    found: Found | None = None


def read_rules(system: str, options: Any, resources: Sequence[str]) -> tuple[Rule, ...]:
    """The setting `webhook.records`. Raises RefusedError naming the part that is unknown, missing or unfit."""
    if options is None:
        return ()
    if not isinstance(options, Sequence) or isinstance(options, str):
        raise _refused(system, "", "it is no list", "Write `[{resource: members, id: member.id}]`.")
    return tuple(_rule(system, index, one, resources) for index, one in enumerate(options))


def _rule(system: str, index: int, one: Any, resources: Sequence[str]) -> Rule:
    place = f".{index}"
    if not isinstance(one, Mapping) or not {"resource", "id"} <= set(one):
        raise _refused(system, place, "it needs resource and id", "Write `{resource: members, id: member.id}`.")
    for name in one:
        if name not in OPTIONS:
            raise _refused(system, f"{place}.{name}", "there is no such setting", f"It knows {', '.join(OPTIONS)}.")
    resource = str(one["resource"])
    if resource not in resources:
        near = difflib.get_close_matches(resource, resources, n=1)
        remedy = f"Did you mean {near[0]}?" if near else f"There is {', '.join(resources) or 'none'}."
        raise _refused(system, f"{place}.resource", f"there is no resource {resource}", remedy)
    ids = one["id"] if isinstance(one["id"], list) else [one["id"]]
    paths = [[_path(system, f"{place}.id", part) for part in str(column).split("|")] for column in ids]
    fetch = one.get("fetch", True)
    if not isinstance(fetch, bool) or (not fetch and "row" not in one):
        raise _refused(system, f"{place}.fetch", "false needs `row`, the place of the row", "Add it, or fetch rows.")
    return Rule(
        resource,
        tuple(tuple(column) for column in paths),
        _expression(system, f"{place}.when", one.get("when")),
        _expression(system, f"{place}.deleted", one.get("deleted")),
        _path(system, f"{place}.each", one["each"]) if "each" in one else None,
        fetch,
        _path(system, f"{place}.row", one["row"]) if "row" in one else (),
    )


def _path(system: str, place: str, text: Any) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    for part in str(text).strip().split("."):
        found = _STEP.fullmatch(part.strip())
        if found is None:
            raise _refused(system, place, f"{text!r} is no path", "Write names with dots, such as member.current.id.")
        steps.append(found[1])
        steps.extend(int(index) for index in re.findall(r"\d+", found[2]))
    return tuple(steps)


def _expression(system: str, place: str, source: Any) -> str | None:
    import cel

    if source is None:
        return None
    try:
        cel.compile(str(source))
    except ValueError as error:
        why = f"{source!r} is no expression: {' '.join(str(error).splitlines()[:1])}"
        raise _refused(system, place, why, "Correct it.") from error
    return str(source)


class HintReader:
    """Applies rules to deliveries. Built once; what a delivery does not fit is no hint, and never an error."""

    def __init__(self, system: str, rules: Sequence[Rule], apis: Mapping[str, Api]) -> None:
        import cel

        for rule in rules:
            if not rule.fetch and not isinstance(apis.get(rule.resource), Payloads):
                why = f"the connector cannot read rows of {rule.resource} out of deliveries"
                raise _refused(system, "", why, "Leave `fetch` out.")
        self._system = system
        self._rules = rules
        self._apis = apis
        texts = {text for rule in rules for text in (rule.when, rule.deleted) if text is not None}
        self._programs = {text: cel.compile(text) for text in texts}

    def read(self, hook: Hook) -> list[Hint]:
        """The rows that a delivery is about; none where it concerns nothing of ours."""
        try:
            body = msgspec.json.decode(hook.body)
        except (msgspec.DecodeError, RecursionError) as error:
            log.warning("a delivery is no JSON", system=self._system, delivery=hook.delivery_id, error=str(error))
            return []
        return [hint for rule in self._rules for hint in self._hints(rule, hook, body)]

    def _hints(self, rule: Rule, hook: Hook, body: Any) -> Iterator[Hint]:
        items = [body] if rule.each is None else _at(body, rule.each)
        for place, item in enumerate(items if isinstance(items, list) else []):
            key = tuple(_first(item, paths) for paths in rule.ids)
            if any(value is None for value in key) or not self._holds(rule.when, hook, body, item, usual=True):
                continue
            is_gone = self._holds(rule.deleted, hook, body, item, usual=False)
            found = None if rule.fetch or is_gone else self._found(rule, hook, place)
            yield Hint(rule.resource, key, is_gone, found)

    def _holds(self, text: str | None, hook: Hook, body: Any, item: Any, usual: bool) -> bool:
        if text is None:
            return usual
        facts = {"body": body, "item": item, "headers": dict(hook.headers)}
        own = {name: value for name, value in item.items() if isinstance(name, str)} if isinstance(item, dict) else {}
        try:
            return self._programs[text].execute(own | facts) is True
        except (TypeError, RuntimeError, KeyError, ValueError, IndexError):
            # A name that this body has not: then it is not so.
            return False

    def _found(self, rule: Rule, hook: Hook, place: int) -> Found | None:
        """The row itself, with exact numbers; None: it is to be fetched after all."""
        body = decode(hook.body.decode())
        item = body if rule.each is None else _at(body, rule.each)[place]
        api = self._apis[rule.resource]
        assert isinstance(api, Payloads)
        try:
            return api.found(_at(item, rule.row))
        except ValueError as error:
            log.warning("a delivery holds no row; it is fetched", system=self._system, error=str(error))
            return None


def _at(value: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def _first(item: Any, paths: Sequence[Sequence[str | int]]) -> Any:
    values = (_at(item, path) for path in paths)
    return next((value for value in values if value is not None and not isinstance(value, dict | list)), None)


def _refused(system: str, place: str, why: str, remedy: str) -> RefusedError:
    return RefusedError(system, f"setting systems.{system}.webhook.records{place}", why, remedy)
