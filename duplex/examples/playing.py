"""`duplex demo --example NAME`: an example as users copy it, played on real servers, and judged from what they hold."""

import asyncio
import shlex
import shutil
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import msgspec
from rich.console import Console

from duplex import broker
from duplex.demo import databases, history, stages
from duplex.demo.scenario import Landing, until
from duplex.demo.stages import Stage
from duplex.embedded.home import default_home
from duplex.embedded.processes import free_port
from duplex.embedded.runtime import KAFKA_VARIABLE, Addresses, Runtime, dsn_variable
from duplex.embedded.settings import Progress
from duplex.examples import erp, installation, marketing, projects, two_databases
from duplex.examples.judging import End, Figures, summarised
from duplex.examples.showings import Example, Place, Showing
from duplex.examples.steps import Step
from schemas.messages import Conflict
from schemas.topics import Topics

EXAMPLES: Mapping[str, Example] = {one.name: one for one in (two_databases.EXAMPLE, marketing.EXAMPLE, erp.EXAMPLE)}
LANDING_LIMIT_S = 180.0
SETTLE_LIMIT_S = 30.0
POLL_S = 0.1


def run(name: str, *, once: bool, json: bool) -> int:
    """Play an example. Returns the exit code: 0 only if every check held.

    Raises UnknownExampleError, ApplicationError, DuplexError.
    """
    projects.folder(name)
    console = Console(stderr=json, highlight=False, soft_wrap=True)
    with stages.alone(default_home().root / "demo"):
        found = asyncio.run(_play(EXAMPLES[name], console, once=once))
    if json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    return 0 if found.ok else 1


async def _play(example: Example, console: Console, *, once: bool) -> Figures:
    def say(text: str) -> None:
        console.print(f"  {text}")

    recipe = example.recipe
    installed = await asyncio.to_thread(installation.ensure, recipe, say) if recipe else None
    started = time.perf_counter()
    async with servers(example, say) as addresses, _prepared(example, installed, addresses, say) as (stage, showing):
        console.print(f"\n[bold]{example.headline}[/] The plan:\n")
        await stages.call(stage, console, "plan", "--limit", "6", accepted=(0, 3))
        await stages.call(stage, console, "apply", leave_out=("kafka: created topic ",))
        async with stages.running(stage):
            player = Player(example, stage, showing, console, started)
            found = await player.play()
            if not once:
                await _stay(stage, showing, console)
    return found


@asynccontextmanager
async def servers(example: Example, say: Progress) -> AsyncIterator[Addresses]:
    """Kafka and the example's databases, for the time of the block."""
    runtime = Runtime(owner="process")
    addresses = await asyncio.to_thread(runtime.start, example.databases, progress=say)
    try:
        yield addresses
    finally:
        await asyncio.to_thread(runtime.stop)


@asynccontextmanager
async def _prepared(
    example: Example, installed: Path | None, addresses: Addresses, say: Progress
) -> AsyncIterator[tuple[Stage, Showing]]:
    """Fresh databases with the example's tables, its application started, its project file laid out."""
    pipeline, port = f"demo_{int(time.time())}", free_port()
    folder = _fresh_folder(example.name)
    dsns = {name: await databases.fresh(addresses.dsns[name], f"demo_{name}") for name in example.databases}
    async with AsyncExitStack() as stack:
        connections = {name: await stack.enter_async_context(_connected(dsn)) for name, dsn in dsns.items()}
        for name, connection in connections.items():
            await connection.execute(projects.text(example.name, f"{name}.sql"))
        if example.recipe:
            say(f"starting {example.recipe.title}")
        showing = await stack.enter_async_context(example.opened(Place(folder, installed, port, connections)))
        known = {KAFKA_VARIABLE: addresses.bootstrap, **{dsn_variable(name): dsn for name, dsn in dsns.items()}}
        stage = Stage(folder, pipeline, str(addresses.psql or "psql"), {**known, **showing.settings})
        stage.project.write_text(projects.hastened(example.name, pipeline, port))
        stack.push_async_callback(_forget, stage)
        yield stage, showing


def _fresh_folder(name: str) -> Path:
    folder = default_home().root / "demo" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def _forget(stage: Stage) -> None:
    # Left behind, they would make the embedded broker start more slowly after every showing.
    async with broker.admin(stage.kafka) as client:
        names = [name for name in await client.list_topics() if name.startswith(f"{stage.pipeline}.")]
    await broker.delete(stage.kafka, names)


@dataclass(slots=True)
class Player:
    """Plays a showing on a stage where the program runs, and tells every step as it lands."""

    example: Example
    stage: Stage
    showing: Showing
    console: Console
    started: float
    landings: list[Landing] = field(default_factory=list)

    async def play(self) -> Figures:
        """All steps in order, and the judgement."""
        self.console.print("\n[bold]First sync[/]")
        await self._step(self.showing.pair.first_sync())
        cold_start_s = time.perf_counter() - self.started
        self.console.print("\n[bold]Edits[/], each as it lands on the other side")
        for step in self.showing.steps:
            if self._sound:
                await self._step(step)
        found = await self._judged(cold_start_s)
        self.console.print(_summary(found, self.showing))
        if not self._sound:
            self.console.print(f"  It was not played further. What the program said: {self.stage.folder / 'run.log'}")
        return found

    @property
    def _sound(self) -> bool:
        return all(landing.held for landing in self.landings)

    async def _step(self, step: Step) -> None:
        began = time.perf_counter()
        await step.do()
        held = await until([step.held], LANDING_LIMIT_S, POLL_S)
        delay_ms = (time.perf_counter() - began) * 1000
        landing = Landing(step.title, step.shown, delay_ms, held, await self._remarks(step))
        self.landings.append(landing)
        self.console.print(stages.line(landing))

    async def _remarks(self, step: Step) -> list[str]:
        found = [one for one in await self._conflicts() if one.field == step.clash]
        return [history.sentence(max(found, key=lambda one: one.ts_us))] if found else []

    async def _judged(self, cold_start_s: float) -> Figures:
        edits = [step.edits for step in self.showing.steps[: len(self.landings) - 1]]
        found = summarised(self.example.name, self.landings, edits, await self._end(), cold_start_s)

        async def sound() -> bool:
            nonlocal found
            found = summarised(self.example.name, self.landings, edits, await self._end(), cold_start_s)
            return found.ok

        if not found.ok and self._sound:
            await until([sound], SETTLE_LIMIT_S, POLL_S)
        return found

    async def _end(self) -> End:
        pair = self.showing.pair
        return End(await pair.left.rows(), await pair.right.rows(), pair.key, await self._conflicts())

    async def _conflicts(self) -> Sequence[Conflict]:
        past = await history.read(Topics(self.stage.pipeline), self.example.entity, (), self.stage.kafka)
        return [one for one in past.conflicts.values() if one.kind in ("value", "existence")]


def _summary(found: Figures, showing: Showing) -> str:
    verdict = "[green]every check held[/]" if found.ok else "[red]a check failed[/]"
    sides = f"{showing.pair.left.name} and {showing.pair.right.name}"
    return (
        f"\n[bold]Summary[/], as {sides} say themselves: {verdict}\n"
        f"  {found.edits} edits by users, {found.records} records on both sides\n"
        f"  {found.conflicts} conflicts on record, {found.lost} edits lost, {found.duplicates} duplicates, "
        f"{found.differences} differences between the two\n"
        f"  the first sync was done {found.cold_start_s} s after the start"
    )


async def _stay(stage: Stage, showing: Showing, console: Console) -> None:
    program = f"{shlex.quote(sys.executable)} -m duplex --project {shlex.quote(str(stage.project))}"
    console.print("\n[bold]Your turn.[/] Everything keeps running until Ctrl-C. In another terminal:\n")
    for text in showing.turn:
        console.out("  " + text.format(psql=stage.psql, **stage.settings))
    console.out(f"\n  {stages.exports(stage.settings)}\n")
    for words in ("status", "conflicts list --all", "topic tail conflicts --from-beginning --max 3"):
        console.out(f"  {program} {words}")
    await stages.interrupted(console)
