"""The SQL files of this package, by name."""

from functools import cache
from importlib import resources


@cache
def statement(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return resources.files("connectors.postgres").joinpath("sql", f"{name}.sql").read_text()
