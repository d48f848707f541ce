"""`python -m tests.apps.recording FOLDER`: ask both applications what connectors ask, and write the answers down.

Each file is a list of `{request, answer}`. Ids and times differ from run to run; what the answers are like does not.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from duplex.examples.applications import Application
from duplex.examples.ghost import installing as ghost
from duplex.examples.ghost.owner import EMAIL, PASSWORD, Owner
from duplex.examples.ghost.running import site
from duplex.examples.tryton import installing as tryton
from duplex.examples.tryton.running import server
from duplex.examples.tryton.user import User

KEPT = ("content-type", "location", "www-authenticate")
UNKNOWN = "0123456789abcdef01234567"
Asked = tuple[str, str, object]
Answers = list[Mapping[str, Any]]
Asking = Callable[[str], Awaitable[Answers]]


async def record(session: aiohttp.ClientSession, url: str, requests: Sequence[Asked]) -> Answers:
    """Send these one after the other."""
    found: Answers = []
    for method, path, body in requests:
        async with session.request(method, url + path, json=body) as answer:
            text = await answer.text()
            headers = {name.lower(): value for name, value in answer.headers.items() if name.lower() in KEPT}
            asked = {"method": method, "path": path, "body": body}
            shown = json.loads(text) if "json" in answer.content_type and text else text
            found.append({"request": asked, "answer": {"status": answer.status, "headers": headers, "body": shown}})
    return found


async def of_ghost(url: str) -> Answers:
    """Members as the Admin API shows them."""
    async with Owner.at(url) as owner:
        made = [await owner.add(email=f"p{place}@example.com", labels=[{"name": "customer"}]) for place in range(3)]
    first, members = str(made[0]["id"]), "/ghost/api/admin/members/"
    requests: list[Asked] = [
        ("POST", "/ghost/api/admin/session/", {"username": EMAIL, "password": PASSWORD}),
        ("GET", f"{members}?limit=2&order=id%20asc", None),
        ("GET", f"{members}?limit=2&page=9", None),
        ("GET", f"{members}?filter=nonsense:1", None),
        ("GET", f"{members}{first}/", None),
        ("GET", f"{members}{UNKNOWN}/", None),
        ("GET", f"{members}nonsense/", None),
        ("POST", members, {"members": [{"email": "p0@example.com"}]}),
        ("POST", members, {"members": [{"email": "no address"}]}),
        ("PUT", f"{members}{first}/", {"members": [{"name": "Ada", "note": ""}]}),
        ("PUT", f"{members}{first}/", {"members": [{"name": None}]}),
        ("PUT", f"{members}{UNKNOWN}/", {"members": [{"name": "Ada"}]}),
        ("DELETE", f"{members}{first}/", None),
        ("DELETE", f"{members}{first}/", None),
        ("GET", "/ghost/api/admin/nonsense/", None),
    ]
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(headers={"Origin": url, "Accept-Version": "v5.0"}, cookie_jar=jar) as session:
        return (await record(session, url, requests))[1:]


async def of_tryton(url: str) -> Answers:
    """Parties as the JSON-RPC shows them."""
    async with User.at(url) as user:
        address = {"street": "1 Mill Lane", "city": "York", "postal_code": "YO1 7HX"}
        party = await user.add("party.party", name="Ada", code="C1", addresses=[["create", [address]]])
        stamp = (await user.read("party.party", party, "_timestamp"))["_timestamp"]
        fields = ["name", "code", "active", "write_date", "_timestamp", "addresses.street", "addresses._timestamp"]
        condition = {"_timestamp": {f"party.party,{party}": stamp}}
        calls: list[tuple[str, list[Any]]] = [
            ("search_read", [[["id", ">", 0]], 0, 2, [["id", "ASC"]], fields, {}]),
            ("search_read", [[["id", "=", 999999]], 0, 1, None, fields, {}]),
            ("read", [[999999], fields, {}]),
            ("read", [[party], ["nonsense"], {}]),
            ("create", [[{"name": "Ben", "code": "C2"}], {}]),
            ("create", [[{"name": "Ben", "code": "C2"}], {}]),
            ("write", [[party], {"name": "Ada Archer"}, condition]),
            ("write", [[party], {"name": "Ada Baker"}, condition]),
            ("write", [[999999], {"name": "Ada"}, {}]),
            ("delete", [[party], {}]),
            ("delete", [[party], {}]),
            ("nonsense", [{}]),
        ]
        bodies = [{"id": 1, "method": f"model.party.party.{name}", "params": given} for name, given in calls]
        found = await record(user.session, url, [("POST", "/rpc/", body) for body in bodies])
    async with aiohttp.ClientSession() as session:
        return found + await record(session, url, [("POST", "/rpc/", bodies[0])])


def main() -> None:
    """Start both, and write `ghost.json` and `tryton.json`."""
    with TemporaryDirectory() as given:
        _write("ghost", site(ghost.RECIPE.folder, _made(given, "ghost")), of_ghost)
        _write("tryton", server(tryton.RECIPE.folder, _made(given, "tryton")), of_tryton)


def _made(given: str, name: str) -> Path:
    folder = Path(given) / name
    folder.mkdir()
    return folder


def _write(name: str, started: Application, ask: Asking) -> None:
    started.start()
    try:
        found = asyncio.run(ask(started.url))
    finally:
        started.stop()
    text = json.dumps(found, indent=1, ensure_ascii=False).replace(started.url, "http://127.0.0.1:2368")
    (Path(sys.argv[1]) / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
