"""`duplex demo`: the main job, played on real servers with the real program, and judged from what they hold."""

import asyncio
import contextlib
import fcntl
import os
import shlex
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import msgspec
from rich.console import Console

from duplex import broker
from duplex.demo import databases, figures, history
from duplex.demo.scenario import Landing, Play, until
from duplex.embedded.home import default_home
from duplex.embedded.runtime import Addresses, Runtime
from duplex.errors import DuplexError
from schemas.messages import Conflict
from schemas.topics import Topics

READY_TIMEOUT_S = 60.0
SETTLE_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where one showing takes place."""

    folder: Path
    pipeline: str
    bootstrap: str
    psql: str
    dsns: databases.Pair

    @property
    def environment(self) -> dict[str, str]:
        """What the program's commands need to find the servers."""
        ours = {"KAFKA_BOOTSTRAP_SERVERS": self.bootstrap, "CRM_DSN": self.dsns.crm, "ERP_DSN": self.dsns.erp}
        return {**os.environ, **ours}

    def command(self, *words: str) -> list[str]:
        """A duplex command line for this showing's project."""
        return [sys.executable, "-m", "duplex", "--project", str(self.folder / "duplex.yaml"), *words]


def run(*, once: bool, json: bool) -> int:
    """Play the demo. Returns the exit code: 0 only if every check held."""
    return asyncio.run(_play(once=once, as_json=json))


async def _play(*, once: bool, as_json: bool) -> int:
    started = time.perf_counter()
    console = Console(stderr=as_json, highlight=False)
    runtime = Runtime(owner="process")
    with alone(default_home().root / "demo"):
        return await _on(runtime, console, started, once=once, as_json=as_json)


async def _on(runtime: Runtime, console: Console, started: float, *, once: bool, as_json: bool) -> int:
    addresses = await asyncio.to_thread(runtime.start, ("crm", "erp"), progress=lambda text: console.print(f"  {text}"))
    stage = await prepare(addresses)
    try:
        return await _show(stage, console, started, once=once, as_json=as_json)
    finally:
        await asyncio.to_thread(runtime.stop)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One demo at a time: each makes the same two databases anew. Raises DuplexError."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DuplexError(
                "the demo is running already", str(folder), "another process plays it", "Stop that one with Ctrl-C."
            ) from error
        yield


async def prepare(addresses: Addresses) -> Stage:
    """Fresh databases, a fresh pipeline name, and the project file in a folder of its own."""
    dsns = await databases.create(addresses.dsns)
    pipeline = f"demo_{int(time.time())}"
    folder = default_home().root / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "duplex.yaml").write_text(databases.script("project.yaml").replace("PIPELINE", pipeline))
    return Stage(folder, pipeline, addresses.bootstrap, str(addresses.psql or "psql"), dsns)


async def _show(stage: Stage, console: Console, started: float, *, once: bool, as_json: bool) -> int:
    console.print(
        "\n[bold]Two databases, different tables.[/] 40 people are in both, some with differences. The plan:\n"
    )
    await _call(stage, console, "plan", "--limit", "6", accepted=(0, 3))
    await _call(stage, console, "apply")
    async with running(stage), connected(stage) as (crm, erp):
        console.print("\n[bold]First sync[/]")
        play = Play(crm, erp, lambda landing: console.print(_line(landing)), lambda name: _conflicts(stage, name))
        await play.first_sync()
        console.print("\n[bold]Edits[/], each as it lands in the other database")
        await play.update_in_crm()
        cold_start_s = time.perf_counter() - started
        await play.rest()
        found = await judge(stage, play, cold_start_s)
        console.print(_summary(found))
        if as_json:
            sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        if not once:
            await _stay(stage, console)
    # Left behind, they would make the embedded broker start more slowly after every showing.
    used = Topics(stage.pipeline).all({"contact": ("crm", "erp")})
    await broker.delete({"bootstrap_servers": stage.bootstrap}, [spec.name for spec in used])
    return 0 if found.ok else 1


async def _conflicts(stage: Stage, field: str) -> list[str]:
    """The conflicts of a field, as sentences; the last one only."""
    past = await history.read(Topics(stage.pipeline), "contact", (), {"bootstrap_servers": stage.bootstrap})
    found = [one for one in past.conflicts.values() if one.field == field]
    return [_conflict(max(found, key=lambda one: one.ts_us))] if found else []


def _conflict(found: Conflict) -> str:
    kept, lost = (found.current, found.incoming) if found.winner == "current" else (found.incoming, found.current)
    return (
        f"on record as a conflict of {found.field}, decided by {found.rule}: "
        f"{kept.system}'s {kept.value} stands, {lost.system}'s {lost.value} lost"
    )


async def judge(stage: Stage, play: Play, cold_start_s: float) -> figures.Figures:
    """Wait for every command's echo, then read the figures from databases and topics."""
    topics, kafka = Topics(stage.pipeline), {"bootstrap_servers": stage.bootstrap}

    async def look() -> figures.Figures:
        past = await history.read(topics, "contact", ("crm", "erp"), kafka)
        comparison = await databases.compare(play.crm, play.erp)
        return figures.summarise(past, comparison, cold_start_s, all(landing.held for landing in play.landings))

    found = await look()

    async def sound() -> bool:
        nonlocal found
        found = await look()
        return found.ok

    if not found.ok:
        await until([sound], SETTLE_TIMEOUT_S if all(landing.held for landing in play.landings) else 1)
    return found


@contextlib.asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[None]:
    """`duplex run` beside us; its log goes to a file in the demo's folder."""
    with (stage.folder / "run.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *stage.command("run", "--http-port", "0"), env=stage.environment, stdout=log, stderr=log
        )
    try:
        yield
        if process.returncode is not None:
            raise _stopped(stage)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()


def _stopped(stage: Stage) -> DuplexError:
    return DuplexError(
        what="`duplex run` stopped by itself during the demo",
        where=str(stage.folder / "run.log"),
        why="its log, named here, ends with the reason",
        remedy=f"tail -n 50 {shlex.quote(str(stage.folder / 'run.log'))}",
    )


@contextlib.asynccontextmanager
async def connected(stage: Stage) -> AsyncIterator[tuple[asyncpg.Connection, asyncpg.Connection]]:
    """One user's connection to each database."""
    crm, erp = await asyncpg.connect(stage.dsns.crm), await asyncpg.connect(stage.dsns.erp)
    try:
        yield crm, erp
    finally:
        await crm.close()
        await erp.close()


async def _call(stage: Stage, console: Console, *words: str, accepted: tuple[int, ...] = (0,)) -> None:
    process = await asyncio.create_subprocess_exec(
        *stage.command(*words), env=stage.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    console.out(output.decode().rstrip())
    if process.returncode not in accepted:
        raise DuplexError(
            what=f"`duplex {words[0]}` failed in the demo",
            where=str(stage.folder / "duplex.yaml"),
            why=errors.decode().strip()[-2000:],
            remedy="duplex doctor says what is wrong with the machine, if it is the machine",
        )


def _line(landing: Landing) -> str:
    mark = "[green]✓[/]" if landing.held else "[red]✗ not within the time limit:[/]"
    line = f"  {mark} {landing.title}: {landing.shown}  [dim]{landing.delay_ms:,.0f} ms[/]"
    return "\n".join([line, *(f"      [yellow]{remark}[/]" for remark in landing.remarks)])


def _summary(found: figures.Figures) -> str:
    verdict = "[green]every check held[/]" if found.ok else "[red]a check failed[/]"
    return (
        f"\n[bold]Summary[/], read from the databases and the topics: {verdict}\n"
        f"  {found.edits:,} edits by users, {found.commands:,} commands, {found.echoes:,} echoes recognised\n"
        f"  {found.conflicts} conflicts on record, {found.lost} edits lost, {found.duplicates} duplicates, "
        f"{found.differences} differences between the two databases\n"
        f"  edit → other database: p50 {found.p50_ms} ms, p99 {found.p99_ms} ms; "
        f"the first edit landed {found.cold_start_s} s after the start"
    )


async def _stay(stage: Stage, console: Console) -> None:
    project = shlex.quote(str(stage.folder / "duplex.yaml"))
    exports = _exports(
        {"KAFKA_BOOTSTRAP_SERVERS": stage.bootstrap, "CRM_DSN": stage.dsns.crm, "ERP_DSN": stage.dsns.erp}
    )
    console.print("\n[bold]Your turn.[/] Everything keeps running until Ctrl-C. In another terminal, paste:\n")
    console.out(f"""  {stage.psql} '{stage.dsns.crm}' -c "update shop.contacts set phone = 'hello' where id = 1"
  {stage.psql} '{stage.dsns.erp}' -c "select * from shop.customers where tel = 'hello'"

  {exports}
  {shlex.quote(sys.executable)} -m duplex --project {project} status
  {shlex.quote(sys.executable)} -m duplex --project {project} record show ada.archer.0@example.com
  {shlex.quote(sys.executable)} -m duplex --project {project} topic tail conflicts --from-beginning --max 3
""")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    console.print("\nstopping")


def _exports(settings: Mapping[str, str]) -> str:
    return "export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in settings.items())
