"""A small business application that speaks JSON-RPC: one path, a session, errors with status 200, tagged values."""

import base64
from datetime import datetime
from typing import Any

from aiohttp import web

PASSWORD = "correct horse battery"
PARTS = ("year", "month", "day", "hour", "minute", "second", "microsecond")


class Ledger:
    """Parties in memory. `now` is its clock; `sessions` the tokens that are good."""

    def __init__(self) -> None:
        self.parties: dict[int, dict[str, Any]] = {}
        self.now = datetime(2026, 1, 2, 3, 4, 5, 600)
        self.sessions: set[str] = set()
        self.logins = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        call = await request.json()
        if call["method"] == "common.db.login":
            return self._login(call)
        word, _, token = request.headers.get("Authorization", "").partition(" ")
        if word != "Session" or base64.b64decode(token).decode().split(":")[-1] not in self.sessions:
            return web.Response(status=401)
        method = call["method"].rpartition(".")[2]
        try:
            result = getattr(self, method)(*call["params"])
        except LookupError as error:
            return web.json_response({"id": call["id"], "error": list(error.args)})
        return web.json_response({"id": call["id"], "result": result})

    def _login(self, call: dict[str, Any]) -> web.StreamResponse:
        if call["params"][1]["password"] != PASSWORD:
            return web.Response(status=401, text="<html>no</html>", content_type="text/html")
        self.logins += 1
        self.sessions.add(f"token{self.logins}")
        return web.json_response({"id": call["id"], "result": [3, f"token{self.logins}", None]})

    def search_read(self, domain: Any, offset: int, limit: int, order: Any, fields: Any, context: Any) -> Any:
        found = [self.parties[key] for key in sorted(self.parties) if self._fits(self.parties[key], domain)]
        return found[offset : offset + limit]

    def create(self, rows: list[dict[str, Any]], context: Any) -> list[int]:
        key = max(self.parties, default=0) + 1
        if any(not row.get("name") for row in rows):
            raise LookupError("UserError", ["A value is required for field Name.", "", None])
        self.parties[key] = {"id": key, "code": None, "credit": None, "write_date": None, **rows[0]}
        self._touch(key, "create_date")
        return [key]

    def write(self, ids: list[int], values: dict[str, Any], context: Any) -> None:
        self._judge(ids[0], context)
        self.parties[ids[0]].update(values)
        self._touch(ids[0], "write_date")

    def delete(self, ids: list[int], context: Any) -> None:
        self._judge(ids[0], context)
        self.parties.pop(ids[0], None)

    def _judge(self, key: int, context: Any) -> None:
        stamp = context["_timestamp"][f"party.party,{key}"]
        if key in self.parties and self.parties[key]["_timestamp"] != stamp:
            raise LookupError("ConcurrencyException", "Records were modified in the meanwhile")

    def _touch(self, key: int, column: str) -> None:
        self.now = self.now.replace(microsecond=self.now.microsecond + 1)
        moment = {"__class__": "datetime", **{part: getattr(self.now, part) for part in PARTS}}
        self.parties[key] |= {column: moment, "_timestamp": str(self.now.microsecond)}

    def _fits(self, party: dict[str, Any], domain: list[Any]) -> bool:
        return all(self._holds(party, clause) for clause in domain)

    def _holds(self, party: dict[str, Any], clause: list[Any]) -> bool:
        if clause[0] == "OR":
            return any(self._holds(party, one) for one in clause[1:])
        name, operator, wanted = clause
        found = party[name]
        if isinstance(wanted, dict):
            found, wanted = (one and tuple(one[part] for part in PARTS) for one in (found, wanted))
        if found is None:
            return False
        return bool({"=": found == wanted, ">": found > wanted, ">=": found >= wanted}[operator])
