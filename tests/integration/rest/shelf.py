"""An application that can do everything a REST resource may: etags, versions, idempotency, changes, removed rows."""

import itertools
from typing import Any

from aiohttp import web

RESOURCE: dict[str, Any] = {
    "key": ["id"],
    "columns": {
        "id": "bigint",
        "email": "text",
        "name": {"type": "text", "optional": True},
        "at": {"type": "timestamptz", "format": "epoch_ms", "read_only": True},
        "credit": {"type": "numeric(12,2)", "path": "account.credit", "optional": True},
    },
    "changed": "at",
    "version": "{{ item.version }}",
    "conditional": {"tag": "etag", "header": "If-Match"},
    "idempotency": {"header": "Idempotency-Key"},
    "list": {
        "path": "/members",
        "items": "data",
        "pagination": {"type": "cursor", "cursor": "next", "parameter": "after", "size": 2, "size_parameter": "limit"},
        "since": {"query": {"since": "{{ since_us }}"}},
    },
    "get": {"path": "/members/{{ id }}"},
    "create": {"method": "POST", "path": "/members"},
    "update": {"method": "PATCH", "path": "/members/{{ id }}"},
    "delete": {"method": "DELETE", "path": "/members/{{ id }}"},
    "find": {
        "by": ["email"],
        "path": "/members",
        "query": {"email": "{{ columns.email }}", "limit": 99},
        "items": "data",
    },
    "removed": {"path": "/removed", "query": {"since": "{{ since_us }}"}, "items": "data", "id": "id"},
}


class Shelf:
    """Members in memory. `clock_us` dates their changes."""

    def __init__(self, clock_us: Any) -> None:
        self.members: dict[int, dict[str, Any]] = {}
        self.gone: list[dict[str, int]] = []
        self.made: dict[str, int] = {}
        self._clock_us = clock_us
        self._ids, self._versions = itertools.count(1), itertools.count(1)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        kind, _, number = request.path.strip("/").partition("/")
        if kind == "removed":
            since = int(request.query["since"])
            return web.json_response({"data": [one for one in self.gone if one["at"] >= since]})
        if not number:
            return await self._create(request) if request.method == "POST" else self._list(request)
        found = self.members.get(int(number))
        if found is None:
            return web.json_response({"message": "no such member"}, status=404)
        if request.method != "GET" and request.headers.get("If-Match") != _tag(found):
            return web.json_response({"message": "changed meanwhile"}, status=412)
        return await self._one(request, found)

    async def _one(self, request: web.Request, found: dict[str, Any]) -> web.StreamResponse:
        if request.method == "DELETE":
            del self.members[found["id"]]
            self.gone.append({"id": found["id"], "at": self._clock_us()})
            return web.Response(status=204)
        if request.method == "PATCH":
            self._change(found, await request.json())
        return web.json_response(found, headers={"ETag": _tag(found)})

    async def _create(self, request: web.Request) -> web.StreamResponse:
        key = request.headers["Idempotency-Key"]
        if self.made.get(key) not in self.members:
            self.made[key] = next(self._ids)
            self.members[self.made[key]] = {"id": self.made[key], "name": None, "account": {"credit": None}}
            self._change(self.members[self.made[key]], await request.json())
        found = self.members[self.made[key]]
        return web.json_response(found, status=201, headers={"ETag": _tag(found)})

    def _change(self, found: dict[str, Any], values: dict[str, Any]) -> None:
        found["account"] = found["account"] | values.pop("account", {})
        found |= values | {"version": next(self._versions), "at": self._clock_us() // 1000}

    def _list(self, request: web.Request) -> web.StreamResponse:
        asked = request.query
        after, since, limit = int(asked.get("after", "0")), int(asked.get("since", "0")), int(asked["limit"])
        found = [one for key, one in sorted(self.members.items()) if key > after and one["at"] * 1000 >= since]
        found = [one for one in found if asked.get("email") in (None, one["email"])]
        more = found[limit - 1]["id"] if len(found) > limit else None
        return web.json_response({"data": found[:limit], "next": more})


def _tag(found: dict[str, Any]) -> str:
    return f'"{found["version"]}"'
