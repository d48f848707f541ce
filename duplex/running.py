"""The running pipeline: which parts it has, and the supervisor that keeps them."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from duplex import broker, catalog, composition, epochs, policies, systems
from duplex.errors import DuplexError
from duplex.supervisor import presence
from duplex.supervisor.child import LineSink, Program
from duplex.supervisor.supervisor import Supervisor
from duplex.supervisor.web import Server
from duplex.usage import UsageError
from schemas.project.kafka import client_options
from schemas.project.loading import Loaded
from schemas.project.model import Project
from schemas.topics import Topics

log = structlog.get_logger(__name__)

COMMON = frozenset({"sources", "processors", "sinks"})


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run: the project file, where to serve HTTP (port 0: any), how to log."""

    project: Path
    http_host: str
    http_port: int
    log_format: str
    log_level: str


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the pipeline: a source or a sink of one system, or both where it keeps no log (`system`); the
    processors, or the webhook bridge (no system). Of several workers of the processors, all but the first have their
    number in the place of a system."""

    kind: str
    system: str = ""

    @property
    def name(self) -> str:
        return f"{self.kind} {self.system}".strip()


class UnknownPartError(UsageError):
    """A part that the project does not have."""

    def __init__(self, word: str, known: tuple[str, ...]) -> None:
        super().__init__(
            "no such part", f"--only {word}", "the project does not have it", f"It has {', '.join(known)}."
        )


class AlreadyRunningError(DuplexError):
    """The same project is run by another process on this machine."""

    def __init__(self, project: Path, pid: int | None) -> None:
        stop = f"stop it with `kill {pid}`" if pid else "stop it first"
        why = f"process {pid} runs it" if pid else "another process runs it"
        super().__init__("this project runs already", str(project), why, f"See `duplex status`, or {stop}.")


class PortTakenError(DuplexError):
    """The port for /metrics and /health cannot be had."""

    def __init__(self, host: str, port: int, why: str) -> None:
        super().__init__(
            "/metrics and /health cannot be served",
            f"{host}:{port}",
            why,
            "Choose another --http-port (0: any free one).",
        )


def parts(project: Project) -> list[Part]:
    """Every part of a project, in the order in which they start: what consumes before what produces.

    Raises RefusedError for a kind of system that is not installed.
    """
    kinds = systems.kinds(project)
    sinks = [Part("sink", name) for name, kind in kinds.items() if kind.log and kind.writes]
    sources = [Part("source", name) for name, kind in kinds.items() if kind.log]
    whole = [Part("system", name) for name, kind in kinds.items() if not kind.log]
    bridge = [Part("bridge")] if systems.hooked(project) else []
    workers = [Part("processors"), *(Part("processors", str(n)) for n in range(2, project.processors.workers + 1))]
    return [*sinks, *workers, *whole, *sources, *bridge]


def chosen(project: Project, only: str) -> list[Part]:
    """The parts that `--only` names; all of them where it is empty. Raises UnknownPartError."""
    everything = parts(project)
    words = [word.strip() for word in only.split(",") if word.strip()]
    if not words:
        return everything
    named = [part for word in words for part in _named(everything, word)]
    return [part for part in everything if part in named]


def _named(everything: list[Part], word: str) -> list[Part]:
    kind, _, system = word.partition(":")
    found = [part for part in everything if part.kind == kind.removesuffix("s") or part.kind == kind]
    if system:
        found = [part for part in found if part.system == system]
    if not found:
        plain = ("sources", "processors", "sinks", *sorted({_plural(part) for part in everything} - COMMON))
        known = (*plain, *(f"{part.kind}:{part.system}" for part in everything if part.system))
        raise UnknownPartError(word, known)
    return found


def _plural(part: Part) -> str:
    return part.kind if part.kind.endswith("s") else f"{part.kind}s"


def program(part: Part, settings: Settings) -> Program:
    """The command line of a part's process."""
    argv = [sys.executable, "-m", "duplex.child", "--project", str(settings.project.resolve())]
    argv += ["--log-format", settings.log_format, "--log-level", settings.log_level]
    return Program(part.name, (*argv, *part.name.split()))


async def serve(loaded: Loaded, settings: Settings, wanted: Iterable[Part]) -> None:
    """Run these parts until SIGTERM or SIGINT.

    Raises AlreadyRunningError, PortTakenError, CatalogMissingError, UnappliedError, PolicyError. A broker that does not
    answer now is no reason not to start: the children wait for it, and go by the rules that were applied.
    """
    with presence.locked(settings.project) as free:
        if not free:
            there = presence.found(settings.project)
            raise AlreadyRunningError(settings.project, there.pid if there else None)
        # What a killed supervisor left behind must not be taken for this one's.
        presence.forget(settings.project)
        await _require_applied(loaded)
        supervisor = Supervisor(
            [program(part, settings) for part in wanted],
            environment={"PYTHONWARNINGS": "ignore", **os.environ},
            lines=line_sink(settings.log_format),
            say=lambda sentence: log.warning(sentence),
        )
        await _serve(supervisor, loaded.project.pipeline, settings)


async def _require_applied(loaded: Loaded) -> None:
    project, topic = loaded.project, Topics(loaded.project.pipeline).catalog
    try:
        whole = await catalog.read_whole(client_options(project.kafka), topic)
    except broker.BrokerError as error:
        log.warning(f"{error} Starting nevertheless: the pipeline waits for it.")
        return
    require_applied(loaded, whole)


def require_applied(loaded: Loaded, whole: catalog.Whole) -> None:
    """Nothing, if the file says what was applied. Raises CatalogMissingError, UnappliedError, PolicyError."""
    project = loaded.project
    catalog.require(whole.tables, project, Topics(project.pipeline).catalog)
    functions = policies.of_project(project, loaded.path.parent)
    found = epochs.unapplied(whole.epochs, composition.rules_texts(project, whole.tables, functions))
    if found:
        raise epochs.UnappliedError(str(loaded.path), found)


async def _serve(supervisor: Supervisor, pipeline: str, settings: Settings) -> None:
    server = Server(supervisor, settings.http_host, settings.http_port)
    try:
        await server.start()
    except OSError as error:
        raise PortTakenError(settings.http_host, settings.http_port, error.strerror or str(error)) from error
    with _signals(supervisor.stop):
        presence.note(settings.project, _running(supervisor, server, pipeline, settings))
        log.info(f"running {pipeline}; health at http://{settings.http_host}:{server.port}/health")
        try:
            await supervisor.run()
        finally:
            presence.forget(settings.project)
            await server.stop()
    log.info(f"stopped {pipeline}")


def _running(supervisor: Supervisor, server: Server, pipeline: str, settings: Settings) -> presence.Running:
    return presence.Running(
        pid=os.getpid(),
        port=server.port,
        host=settings.http_host,
        pipeline=pipeline,
        started_at_s=time.time(),
        children=tuple(view.name for view in supervisor.views()),
    )


class _signals:
    """Call `stop` on SIGTERM and SIGINT while this lasts."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop

    def __enter__(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop)

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(number)


def line_sink(form: str) -> LineSink:
    """Pass the children's lines on to standard error: named for people, whole JSON objects for machines."""

    def for_people(name: str, line: str) -> None:
        print(f"{name:<14} {line}", file=sys.stderr, flush=True)

    def for_machines(name: str, line: str) -> None:
        whole = line if line.startswith("{") else msgspec.json.encode({"process": name, "event": line}).decode()
        print(whole, file=sys.stderr, flush=True)

    return for_machines if form == "json" else for_people
