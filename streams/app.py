"""The Faust application that hosts every processor of a pipeline, and how a process runs it.

The hot processors are services with consumer groups of their own (`streams.processors.service`). The app starts
and stops them, carries a crash of one to the others, and is where low-volume agents belong. Its own consumer,
producer and assignor start only when it has agents: without any it makes no topic and joins no group.
"""

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import faust
import structlog
from faust.app import BootStrategy

from schemas.codec import Codec
from schemas.project.model import Entity, Project
from schemas.topics import Topics
from streams.identity.claims import ClaimsProcessor
from streams.identity.links import LinksProcessor
from streams.identity.matched import KeyOf, key_of
from streams.mapping.compiled import TableLens
from streams.mapping.natural_keys import natural_key
from streams.mapping.rules import compile_epoch
from streams.merge.rules import Rules
from streams.processors import user_processors
from streams.processors.lanes import BatchProcessor
from streams.processors.lenses import RowLens, row_lenses
from streams.processors.merging import MergeProcessor
from streams.processors.queries import QueryService
from streams.processors.regimes import Compile
from streams.processors.service import BatchService
from streams.processors.settings import Hosting
from streams.processors.spilled import Spill

log = structlog.get_logger(__name__)


class _WithoutAgents(BootStrategy):
    """Starts none of Faust's own Kafka clients: there is no agent that would use them."""

    enable_kafka = False


class HostApp(faust.App):
    """A Faust app whose work is done by its services, which keep their state in Kafka."""

    BootStrategy = _WithoutAgents

    def _create_directories(self) -> None:
        """None of the folders that Faust's tables would use."""

    async def on_start(self) -> None:
        """Settle the configuration. Faust's own would build a consumer, with a loop and a thread, and never use it."""
        self.finalize()


def build_app(
    hosting: Hosting,
    processors: Iterable[BatchProcessor],
    web_port: int | None = None,
    folder: Path | None = None,
    worker: int = 1,
) -> faust.App:
    """An app that hosts these processors; web off unless given a port. Needs a running event loop.

    Given a project's folder, it answers questions about its state there: see `streams.processors.queries`. `worker`
    is its number among the processes of this machine that share the project's processors.
    """
    app = HostApp(
        f"{hosting.pipeline}.processors",
        broker=_broker(hosting.kafka),
        store="memory://",
        autodiscover=False,
        topic_disable_leader=True,
        web_enabled=web_port is not None,
        web_bind="127.0.0.1",
        web_port=web_port or 6066,
        loghandlers=[],
    )
    services = [BatchService(hosting, processor) for processor in processors]
    for service in services:
        app.service(service)  # type: ignore[arg-type]
    if folder is not None:
        app.service(QueryService(folder, lambda: services, worker))  # type: ignore[arg-type]
    return app


def _broker(kafka: Mapping[str, Any]) -> str:
    servers = kafka["bootstrap_servers"]
    return ";".join(f"kafka://{server}" for server in (servers.split(",") if isinstance(servers, str) else servers))


async def host(app: faust.App) -> None:
    """Run an app until cancelled; stops gracefully then. Raises what crashed it."""
    try:
        await app.start()
        # Waits beside the app's own stop and crash, and leaves no task behind when it is cancelled.
        await app.wait(asyncio.get_running_loop().create_future())
        if app.crash_reason is not None:
            raise app.crash_reason
    finally:
        await asyncio.shield(app.stop())


def entity_processors(
    topics: Topics,
    entity: Entity,
    rules: Rules,
    codec: Codec | None = None,
    compile_rules: Compile = compile_epoch,
) -> list[BatchProcessor]:
    """The processors that an entity needs: links and claims unless its systems share a key, and the merge."""
    codec, lenses = codec or Codec(), row_lenses(rules)
    merge = MergeProcessor(topics, entity, rules, codec, compile_rules)
    if entity.identity == "key":
        return [merge]

    def key(system: str, image: str) -> str | None:
        lens = lenses[system]
        return natural_key(entity.match, lens.get(lens.load(image), entity.match))

    def admits(system: str, image: str) -> bool:
        return lenses[system].admits(image)

    def is_gone(system: str, image: str) -> bool:
        return lenses[system].is_gone(image)

    own_key, keys = key if entity.match else None, _keys(entity, lenses)
    links = LinksProcessor(topics, rules.entity, rules.systems, own_key, admits, codec, is_gone, keys)
    return [links, ClaimsProcessor(topics, rules.entity, codec), merge]


def _keys(entity: Entity, lenses: Mapping[str, RowLens]) -> dict[str, KeyOf]:
    """The natural keys of images, of the systems in which no row that is there counts as deleted."""
    modes = entity.on_delete.modes
    return {
        system: key_of(lens, entity.match)
        for system, lens in lenses.items()
        if isinstance(lens, TableLens) and (system not in modes or modes[system].kind != "inactive")
    }


def spill_of(project: Project, folder: Path) -> Spill | None:
    """Where a project's state goes beyond the memory it may have. Raises DiskMissingError."""
    memory_bytes = project.processors.memory
    if memory_bytes is None:
        return None
    return Spill(folder / ".duplex" / "state", memory_bytes // project.processors.workers)


async def run_processors(
    project: Project,
    topics: Topics,
    rules: Mapping[str, Rules],
    kafka: Mapping[str, Any],
    folder: Path,
    *,
    compile_rules: Compile = compile_epoch,
    instance: str = "worker-0",
    worker: int = 1,
    web_port: int | None = None,
) -> None:
    """Run every processor of a project, the users' own in `folder` among them, until cancelled.

    `rules` are the compiled rules by entity, `compile_rules` makes those of an epoch; `kafka` has the options of every
    aiokafka client; `instance` and `worker` tell this process from others of the pipeline. Cancelling finishes the
    batches under way and commits. Raises what no retry mends: topics missing or torn apart, lost state or input, an
    epoch that cannot begin, an error in a user's file, a broker that does not answer at the start; a disk that cannot
    take the state, where it goes there.
    """
    codec = Codec()
    processors: list[BatchProcessor] = []
    for name, entity in project.entities.items():
        processors += entity_processors(topics, entity, rules[name], codec, compile_rules)
    processors += user_processors.load(folder, project.pipeline)
    hosting = Hosting(kafka=kafka, pipeline=project.pipeline, instance=instance, spill=spill_of(project, folder))
    await host(build_app(hosting, processors, web_port, folder, worker))
