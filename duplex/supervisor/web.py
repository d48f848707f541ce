"""The supervisor's HTTP port: `/metrics` for Prometheus, `/health` for whoever decides on restarts and traffic."""

import time

from aiohttp import web

from duplex.supervisor import health
from duplex.supervisor.supervisor import Supervisor

TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


class Server:
    """Serves one supervisor on a loopback or public address. `port` is the one it got once started."""

    def __init__(self, supervisor: Supervisor, host: str, port: int) -> None:
        self._supervisor = supervisor
        self._host = host
        self.port = port
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Begin to serve. Raises OSError when the port is taken."""
        app = web.Application()
        app.add_routes([web.get("/metrics", self._metrics), web.get("/health", self._health)])
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self.port)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop serving. May be called twice."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _metrics(self, _: web.Request) -> web.Response:
        body = health.exposition(self._supervisor.views(), self._supervisor.metrics())
        return web.Response(body=body, headers={"Content-Type": TEXT_FORMAT})

    async def _health(self, _: web.Request) -> web.Response:
        judged = health.judge(self._supervisor.views(), time.time())
        body = {"ok": judged.ok, "reasons": list(judged.reasons)}
        return web.json_response(body, status=200 if judged.ok else 503)
