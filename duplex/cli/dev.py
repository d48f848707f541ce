"""`duplex dev`: a Kafka broker and Postgres servers to try duplex on, without Docker and without root."""

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from duplex.cli import options, output

if TYPE_CHECKING:
    from duplex.embedded.runtime import Addresses, ServerStatus

app = typer.Typer(help="Kafka and Postgres to develop against, in your cache folder.", no_args_is_help=True)

Databases = Annotated[str, typer.Option("--databases", metavar="NAMES", help="The databases, with commas between.")]


@app.command()
def start(databases: Databases = "crm,erp", as_json: options.Json = False) -> None:
    """Start one Kafka broker and a Postgres server for each database; they run until `duplex dev stop`."""
    from duplex.embedded.runtime import Runtime

    with _progress() as progress:
        addresses = Runtime().start(_names(databases), progress)
    if as_json:
        return output.document(_document(addresses))
    for line in _lines(addresses):
        output.data(line)
    output.say('Take them into your shell with: eval "$(duplex dev env)"')
    return None


@app.command()
def stop(
    wipe: Annotated[bool, typer.Option("--wipe", help="Delete their data too.")] = False, as_json: options.Json = False
) -> None:
    """Stop the servers, whoever started them."""
    from duplex.embedded.runtime import Runtime

    runtime = Runtime()
    stopped = [server.name for server in runtime.status().servers if server.running]
    with _progress() as progress:
        progress("stopping")
        runtime.stop(wipe=wipe)
    if as_json:
        return output.document({"stopped": stopped, "wiped": wipe})
    output.data(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
    return None


@app.command()
def status(as_json: options.Json = False) -> None:
    """Say which servers run, and where."""
    from duplex.embedded.runtime import Runtime

    found = Runtime().status()
    if as_json:
        return output.document(
            {
                "home": str(found.home),
                "kept": found.kept,
                "held_by": found.held_by,
                "servers": [_server(server) for server in found.servers],
            }
        )
    for server in found.servers:
        state = f"running  {server.address}  (process {server.pid})" if server.running else "stopped"
        output.data(f"{server.name}  {state}")
    output.data(f"home  {found.home}")
    return None


@app.command()
def env(as_json: options.Json = False) -> None:
    """Print the variables that point duplex at the running servers: eval "$(duplex dev env)"."""
    from duplex.embedded.runtime import Runtime
    from duplex.errors import DuplexError

    runtime = Runtime()
    addresses = runtime.running_addresses()
    if addresses is None:
        raise DuplexError(
            "no embedded servers to point at", str(runtime.home.root), "Kafka is not running", "Run: duplex dev start"
        )
    if as_json:
        return output.document(addresses.environment())
    for variable, value in addresses.environment().items():
        output.data(f"export {variable}={shlex.quote(value)}")
    return None


def _names(databases: str) -> list[str]:
    names = [name.strip() for name in databases.split(",") if name.strip()]
    if not names:
        raise typer.BadParameter("name at least one database", param_hint="--databases")
    return names


def _lines(addresses: "Addresses") -> list[str]:
    lines = [f"kafka  {addresses.bootstrap}", *(f"{name}  {dsn}" for name, dsn in addresses.dsns.items())]
    if addresses.psql is None:
        return lines
    looking = (shlex.join([str(addresses.psql), dsn]) for dsn in addresses.dsns.values())
    return [*lines, *(f"look   {command}" for command in looking)]


def _document(addresses: "Addresses") -> dict[str, object]:
    psql = str(addresses.psql) if addresses.psql else None
    return {"bootstrap": addresses.bootstrap, "dsns": dict(addresses.dsns), "psql": psql}


def _server(server: "ServerStatus") -> dict[str, object]:
    return {
        "name": server.name,
        "running": server.running,
        "address": server.address,
        "pid": server.pid,
        "log": os.fspath(server.log),
    }


@contextmanager
def _progress() -> "Iterator[Callable[[str], None]]":
    """A spinner with the latest message on a terminal; elsewhere a line for each message."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield output.say
        return
    with console.status("looking for running servers") as shown:
        yield lambda message: shown.update(message)
