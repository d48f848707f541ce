"""What changed between two texts of rules, in words."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

_ABSENT = object()


def differences(old: str, new: str) -> list[str]:
    """A phrase for each difference between two texts of `schemas.project.epochs`; empty for equal ones."""
    was, now = msgspec.json.decode(old), msgspec.json.decode(new)
    return [
        *_fields(_part(was, "entity", "fields"), _part(now, "entity", "fields")),
        *_order("fields", _part(was, "entity", "fields"), _part(now, "entity", "fields")),
        *_order("systems", _part(was, "entity", "systems"), _part(now, "entity", "systems")),
        *_rest(_without_fields(was), _without_fields(now)),
        *_types(_part(was, "columns"), _part(now, "columns")),
        *_functions(_part(was, "functions"), _part(now, "functions")),
    ]


def _part(text: Mapping[str, Any], *steps: str) -> dict[str, Any]:
    found: Any = text
    for step in steps:
        found = found.get(step, {})
    return dict(found)


def _without_fields(text: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in _part(text, "entity").items() if name != "fields"}


def _fields(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for field in (*was, *(name for name in now if name not in was)):
        if field not in now:
            yield f"field {field}: removed"
        elif field not in was:
            yield f"field {field}: new, {policy_words(now[field])}"
        else:
            if policy_words(was[field]) != policy_words(now[field]):
                yield f"field {field}: {policy_words(was[field])} → {policy_words(now[field])}"
            yield from _walk(f"field {field}, ", _settings(was[field]), _settings(now[field]))


def _settings(field: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in field.items() if name not in ("on_conflict", "owner")}


def policy_words(field: Mapping[str, Any]) -> str:
    """How a field is decided, as a person would write it, from its part of the text."""
    return f"owner {field['owner']}" if "owner" in field else _words(field.get("on_conflict", "newest"))


def _words(policy: Any) -> str:
    if isinstance(policy, str):
        return policy
    if "priority" in policy:
        return f"priority {', '.join(policy['priority'])}"
    if "function" in policy:
        return f"function {policy['function']}"
    until = policy["manual"]
    return f"manual, after {until['deadline']} {_words(until['then'])}"


def _order(noun: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    before, after = [name for name in was if name in now], [name for name in now if name in was]
    if before != after:
        yield f"order of {noun}: {', '.join(before)} → {', '.join(after)}"


def _rest(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    yield from _walk("", was, now)


def _walk(prefix: str, was: Any, now: Any) -> Iterator[str]:
    """The leaves that differ, each under its path."""
    if isinstance(was, dict) and isinstance(now, dict):
        for name in (*was, *(name for name in now if name not in was)):
            yield from _leaf(f"{prefix}{name}", was.get(name, _ABSENT), now.get(name, _ABSENT))


def _leaf(path: str, was: Any, now: Any) -> Iterator[str]:
    if was == now:
        return
    if isinstance(was, dict) and isinstance(now, dict):
        yield from _walk(f"{path}.", was, now)
    else:
        yield f"{path}: {_shown(was)} → {_shown(now)}"


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "not set"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _types(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for system in was.keys() & now.keys():
        for column in sorted(was[system].keys() & now[system].keys()):
            if was[system][column] != now[system][column]:
                yield f"column {column} of {system}: {was[system][column]} → {now[system][column]}"


def _functions(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(was.keys() & now.keys()):
        if was[name] != now[name]:
            yield f"function {name}: its file has changed"
