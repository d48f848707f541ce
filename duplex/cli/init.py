"""`duplex init`: a project file to begin with."""

import re
from pathlib import Path
from typing import Annotated

import typer

from duplex.cli import options, output


def init(
    project: options.Project = options.DEFAULT_PROJECT,
    sources: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="[NAME=]DSN", help="A Postgres database to look at; give it twice."),
    ] = None,
    pipeline: Annotated[str | None, typer.Option(help="Name of the pipeline. [the folder's name]")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that exists.")] = False,
) -> None:
    """Write a commented project file; with two --from, propose which tables and columns belong together."""
    if project.exists() and not force:
        output.error(f"{project} exists already; --force writes over it, --project FILE chooses another name.")
        output.leave(output.Exit.USAGE)
    if sources and len(sources) != 2:
        output.error("--from is given once for each of two databases: `duplex init --from crm=DSN --from erp=DSN`.")
        output.leave(output.Exit.USAGE)
    name = pipeline or _pipeline_name(project)
    text = _proposed(name, sources) if sources else _example(name)
    project.write_text(text)
    output.say(f"wrote {project}. Read it, then `duplex check`.")


def _pipeline_name(project: Path) -> str:
    name = re.sub(r"[^a-z0-9_]+", "_", project.resolve().parent.name.lower()).strip("_")[:40]
    return name if re.match(r"[a-z]", name) else "shop"


def _example(pipeline: str) -> str:
    from duplex.proposals import files

    return files.example(pipeline)


def _proposed(pipeline: str, sources: list[str]) -> str:
    from duplex.proposals import discovery, files, matching

    databases = [_database(text, default) for text, default in zip(sources, ("left", "right"), strict=True)]
    left, right = [output.run(discovery.tables(database)) for database in databases]
    entities = matching.propose(left, right)
    for database, found in zip(databases, (left, right), strict=True):
        output.say(
            f"{database.system}: {len(found)} tables; its address is read from ${files.variable(database.system)}"
        )
    for entity in entities:
        tables = " = ".join(f"{table.system} {table.name}" for table in entity.tables)
        output.say(f"proposed {entity.name}: {tables}, {len(entity.fields)} fields")
    return files.proposal(pipeline, databases, entities)


def _database(text: str, default: str):  # type: ignore[no-untyped-def]
    from urllib.parse import urlsplit

    from duplex.proposals.discovery import Database

    named = re.match(r"([a-z][a-z0-9_]*)=(.+)", text)
    if named:
        return Database(named[1], named[2])
    path = re.sub(r"[^a-z0-9_]+", "_", urlsplit(text).path.strip("/").lower())
    return Database(path if re.match(r"[a-z]", path) else default, text)
