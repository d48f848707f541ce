"""`duplex demo`: the main job, played on real servers with the real program, and judged from what they hold."""

import asyncio
import contextlib
import os
import re
import shlex
import sys
import time
from collections.abc import AsyncIterator

import asyncpg
import msgspec
from rich.console import Console

from duplex import broker
from duplex.demo import databases, figures, history, stages
from duplex.demo.scenario import Play, until
from duplex.demo.stages import Stage
from duplex.embedded.home import default_home
from duplex.embedded.runtime import KAFKA_VARIABLE, Addresses, Runtime
from schemas.topics import Topics

SETTLE_TIMEOUT_S = 60.0
# What a showing that was killed leaves on the embedded broker makes its every start slower.
LEFT_BEHIND = re.compile(r"demo_[0-9]+\..+")


def run(*, once: bool, json: bool) -> int:
    """Play the demo. Returns the exit code: 0 only if every check held."""
    return asyncio.run(_play(once=once, as_json=json))


async def _play(*, once: bool, as_json: bool) -> int:
    started = time.perf_counter()
    console = Console(stderr=as_json, highlight=False)
    runtime = Runtime(owner="process")
    with stages.alone(default_home().root / "demo"):
        return await _on(runtime, console, started, once=once, as_json=as_json)


async def _on(runtime: Runtime, console: Console, started: float, *, once: bool, as_json: bool) -> int:
    addresses = await asyncio.to_thread(runtime.start, ("crm", "erp"), progress=lambda text: console.print(f"  {text}"))
    stage = await prepare(addresses)
    try:
        if KAFKA_VARIABLE not in os.environ:
            await broker.delete(stage.kafka, await broker.matching(stage.kafka, LEFT_BEHIND))
        return await _show(stage, console, started, once=once, as_json=as_json)
    finally:
        await asyncio.to_thread(runtime.stop)


async def prepare(addresses: Addresses) -> Stage:
    """Fresh databases, a fresh pipeline name, and the project file in a folder of its own."""
    dsns = await databases.create(addresses.dsns)
    pipeline = f"demo_{int(time.time())}"
    folder = default_home().root / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    settings = {KAFKA_VARIABLE: addresses.bootstrap, "CRM_DSN": dsns.crm, "ERP_DSN": dsns.erp}
    stage = Stage(folder, pipeline, str(addresses.psql or "psql"), settings)
    stage.project.write_text(databases.script("project.yaml").replace("PIPELINE", pipeline))
    return stage


async def _show(stage: Stage, console: Console, started: float, *, once: bool, as_json: bool) -> int:
    console.print(
        "\n[bold]Two databases, different tables.[/] 40 people are in both, some with differences. The plan:\n"
    )
    await stages.call(stage, console, "plan", "--limit", "6", accepted=(0, 3))
    await stages.call(stage, console, "apply")
    async with stages.running(stage), connected(stage) as (crm, erp):
        console.print("\n[bold]First sync[/]")
        play = Play(crm, erp, lambda landing: console.print(stages.line(landing)), lambda name: _conflicts(stage, name))
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
    await broker.delete(stage.kafka, [spec.name for spec in used])
    return 0 if found.ok else 1


async def _conflicts(stage: Stage, field: str) -> list[str]:
    """The conflicts of a field, as sentences; the last one only."""
    past = await history.read(Topics(stage.pipeline), "contact", (), stage.kafka)
    found = [one for one in past.conflicts.values() if one.field == field]
    return [history.sentence(max(found, key=lambda one: one.ts_us))] if found else []


async def judge(stage: Stage, play: Play, cold_start_s: float) -> figures.Figures:
    """Wait for every command's echo, then read the figures from databases and topics."""
    topics, kafka = Topics(stage.pipeline), stage.kafka

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
async def connected(stage: Stage) -> AsyncIterator[tuple[asyncpg.Connection, asyncpg.Connection]]:
    """One user's connection to each database."""
    crm, erp = await asyncpg.connect(stage.settings["CRM_DSN"]), await asyncpg.connect(stage.settings["ERP_DSN"])
    try:
        yield crm, erp
    finally:
        await crm.close()
        await erp.close()


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
    project, crm, erp = shlex.quote(str(stage.project)), stage.settings["CRM_DSN"], stage.settings["ERP_DSN"]
    console.print("\n[bold]Your turn.[/] Everything keeps running until Ctrl-C. In another terminal, paste:\n")
    console.out(f"""  {stage.psql} '{crm}' -c "update shop.contacts set phone = 'hello' where id = 1"
  {stage.psql} '{erp}' -c "select * from shop.customers where tel = 'hello'"

  {stages.exports(stage.settings)}
  {shlex.quote(sys.executable)} -m duplex --project {project} status
  {shlex.quote(sys.executable)} -m duplex --project {project} record show ada.archer.0@example.com
  {shlex.quote(sys.executable)} -m duplex --project {project} topic tail conflicts --from-beginning --max 3
""")
    await stages.interrupted(console)
