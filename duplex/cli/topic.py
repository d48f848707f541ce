"""`duplex topic`: what the topics hold."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from duplex.cli import options, output

if TYPE_CHECKING:
    from duplex.broker import Message
    from duplex.reading import Reader

app = typer.Typer(help="Look at the pipeline's topics.", no_args_is_help=True)


@app.command("list")
def list_topics(project: options.Project = options.DEFAULT_PROJECT, as_json: options.Json = False) -> None:
    """Name every topic of the project, and say which exist."""
    from duplex import broker, topics
    from duplex.cli import project as projects
    from schemas.project.kafka import client_options

    loaded = projects.load(project).project

    async def counts() -> dict[str, int]:
        async with broker.admin(client_options(loaded.kafka)) as client:
            return await broker.partition_counts(client, (spec.name for spec in topics.wanted(loaded)))

    existing = output.run(counts())
    rows = [{"topic": spec.name, "partitions": existing.get(spec.name)} for spec in topics.wanted(loaded)]
    if as_json:
        return output.document(rows)
    for row in rows:
        output.data(f"{row['topic']}" + (f"  ({row['partitions']} partitions)" if row["partitions"] else "  (missing)"))
    return None


@app.command()
def tail(
    name: Annotated[str, typer.Argument(help="The topic, with or without the pipeline's name before it.")],
    project: options.Project = options.DEFAULT_PROJECT,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Begin with the oldest message.")] = False,
    most: Annotated[int | None, typer.Option("--max", min=1, help="End after this many messages.")] = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Wait for more at the end.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show a topic's messages, decoded, as they come; Ctrl-C ends it."""
    from duplex import broker, catalog, topics
    from duplex.cli import project as projects
    from duplex.reading import Reader
    from schemas.project.kafka import client_options

    loaded = projects.load(project).project
    topic = name if name.startswith(f"{loaded.pipeline}.") else f"{loaded.pipeline}.{name}"
    kafka = client_options(loaded.kafka)
    if follow:
        batches = broker.follow(kafka, topic, from_beginning)
    else:
        batches = broker.read_all(kafka, topic, last=None if from_beginning else most or 10)

    async def show() -> None:
        # Only merged records are written by schemas that the project's own rules decide.
        merged = topic in {topics.names(loaded).golden(entity) for entity in loaded.entities}
        whole = await catalog.read_whole(kafka, topics.names(loaded).catalog) if merged else None
        await _show(Reader(loaded, whole.epochs if whole else None), batches, most, as_json)

    output.run(show())


async def _show(reader: "Reader", batches: "AsyncIterator[list[Message]]", most: int | None, as_json: bool) -> None:
    from contextlib import aclosing

    count = 0
    async with aclosing(batches) as source:  # type: ignore[type-var]
        async for batch in source:
            for message in batch:
                _print(reader.shown(message), as_json)
                count += 1
                if count == most:
                    return


def _print(shown: dict[str, Any], as_json: bool) -> None:
    import msgspec

    if as_json:
        return output.data(msgspec.json.encode(shown).decode())
    value = msgspec.json.encode(shown["value"]).decode()
    headers = f"  {shown['headers']}" if "headers" in shown else ""
    output.data(f"{shown['partition']}:{shown['offset']}  {shown['key']}  {shown['kind']}  {value}{headers}")
    return None
