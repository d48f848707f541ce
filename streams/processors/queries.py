"""Answers to questions about the state of the processors in this process, over a Unix socket beside the project file.

    GET /state/<processor>/<partition>?key=<hex>      the bytes of a key; 404 where there is none
    GET /state/<processor>/<partition>?prefix=<hex>   msgpack list of [key, value], ordered by key
    GET /positions/<processor>                        JSON {partition: {topic: next offset}}

Only what is settled is told: outputs acknowledged, changelog written. Where several workers share the partitions, each
has a socket, and passes on what another one holds. 503 says that a partition is with none of them, or is not recovered
yet; its changelog has the answer then. 413 says that a prefix has more entries than an answer holds.
"""

import hashlib
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import faust
import msgspec
import structlog
from aiohttp import web

from streams.processors import siblings
from streams.processors.lanes import Lane
from streams.processors.service import BatchService

log = structlog.get_logger(__name__)
FOLDER = ".duplex"
NAME = "processors"
PATH_BYTES = 100
MOST_ENTRIES = 100_000
SHUTDOWN_SECONDS = 2.0
Services = Callable[[], Iterable[BatchService]]
_positions = msgspec.json.Decoder(dict[int, dict[str, int]]).decode


def name_of(worker: int) -> str:
    """What the socket of a worker is called; the first one's is the one that everybody asks."""
    return NAME if worker == 1 else f"{NAME}-{worker}"


def note_path(folder: Path, worker: int = 1) -> Path:
    """The file that says where the socket is, if it is not in the folder itself."""
    return folder / FOLDER / f"{name_of(worker)}.path"


def socket_path(folder: Path, worker: int = 1) -> Path:
    """Where a worker of the processors of the project in this folder answers, or would."""
    try:
        return Path(note_path(folder, worker).read_text().strip())
    except FileNotFoundError:
        return folder / FOLDER / f"{name_of(worker)}.sock"


class QueryService(faust.Service):
    """Serves while the app runs. What stands in its way is logged, and costs the pipeline nothing."""

    def __init__(self, folder: Path, services: Services, worker: int = 1, **options: Any) -> None:
        self._folder = folder.resolve()
        self._worker = worker
        self._services = services
        self._runner: web.AppRunner | None = None
        self._path: Path | None = None
        super().__init__(**options)

    async def on_start(self) -> None:
        """Begin to answer."""
        try:
            await self._serve()
        except OSError as error:
            log.warning("questions about the state are not answered: the socket cannot be made", error=str(error))

    async def _serve(self) -> None:
        path = _place(self._folder, self._worker)
        if _is_answered(path):
            log.warning("questions about the state are answered by another process", socket=str(path))
            return
        path.unlink(missing_ok=True)
        runner = web.AppRunner(_application(self._services, path), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        self._runner, self._path = runner, path
        await web.UnixSite(runner, str(path)).start()
        path.chmod(0o600)

    async def on_stop(self) -> None:
        """Stop answering, and take the socket away; harmless when repeated."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None


def _place(folder: Path, worker: int) -> Path:
    """The socket's path, short enough for a socket; its folder is made, and where it is elsewhere that is noted."""
    own = folder / FOLDER
    own.mkdir(exist_ok=True)
    path, note = own / f"{name_of(worker)}.sock", note_path(folder, worker)
    if len(os.fsencode(path)) <= PATH_BYTES:
        note.unlink(missing_ok=True)
        return path
    # Nobody else may be able to put a socket of his own there: the folder is this user's alone.
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    private = Path(tempfile.gettempdir()) / f"duplex-{os.getuid()}-{digest}"
    private.mkdir(mode=0o700, exist_ok=True)
    found = private.lstat()
    if private.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{private} is not this user's alone")
    path = private / f"{name_of(worker)}.sock"
    note.write_text(f"{path}\n")
    return path


def _is_answered(path: Path) -> bool:
    """Whether a living process listens there; the file of a dead one does not count."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, suppress(OSError):
        client.settimeout(1.0)
        client.connect(str(path))
        return True
    return False


def _application(services: Services, path: Path) -> web.Application:
    def others(request: web.Request) -> AsyncIterator[siblings.Answer]:
        return siblings.ask(siblings.others(path, NAME), request)

    def service(request: web.Request) -> BatchService:
        name = request.match_info["processor"]
        for one in services():
            if one.processor.name == name:
                return one
        raise web.HTTPServiceUnavailable(text=f"no processor {name} runs here")

    def lane(request: web.Request) -> Lane:
        partition = int(request.match_info["partition"])
        found = service(request).lanes.get(partition)
        if found is None or not found.is_ready:
            raise web.HTTPServiceUnavailable(text=f"partition {partition} is not here, or not recovered yet")
        return found

    async def state(request: web.Request) -> web.Response:
        try:
            store = lane(request).store
        except web.HTTPServiceUnavailable:
            async for answer in others(request):
                if answer.status != web.HTTPServiceUnavailable.status_code:
                    return web.Response(status=answer.status, body=answer.body)
            raise
        if "key" in request.query:
            value = store.settled(_bytes(request, "key"))
            if value is None:
                raise web.HTTPNotFound(text="no such key")
            return web.Response(body=value)
        entries = store.settled_items(_bytes(request, "prefix"), MOST_ENTRIES)
        if len(entries) > MOST_ENTRIES:
            raise web.HTTPRequestEntityTooLarge(max_size=MOST_ENTRIES, actual_size=len(entries))
        return web.Response(body=msgspec.msgpack.encode(entries))

    async def positions(request: web.Request) -> web.Response:
        lanes = service(request).lanes
        reached = {number: one.positions for number, one in lanes.items() if one.is_ready}
        async for answer in others(request):
            if answer.status == web.HTTPOk.status_code:
                reached |= _positions(answer.body)
        return web.Response(body=msgspec.json.encode(reached), content_type="application/json")

    application = web.Application()
    application.router.add_get(r"/state/{processor}/{partition:\d{1,9}}", state)
    application.router.add_get("/positions/{processor}", positions)
    return application


def _bytes(request: web.Request, name: str) -> bytes:
    try:
        return bytes.fromhex(request.query[name])
    except (KeyError, ValueError) as error:
        raise web.HTTPBadRequest(text="needs ?key=<hex> or ?prefix=<hex>") from error
