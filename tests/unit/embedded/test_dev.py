"""How the servers that were started are told."""

from pathlib import Path

from duplex.cli.dev import _lines
from duplex.embedded.runtime import Addresses

DSNS = {"crm": "postgresql://postgres@127.0.0.1:1/crm", "erp": "postgresql://postgres@127.0.0.1:2/erp"}


def test_each_database_comes_with_the_command_that_looks_into_it() -> None:
    assert _lines(Addresses("127.0.0.1:3", DSNS, Path("/a cache/psql"))) == [
        "kafka  127.0.0.1:3",
        f"crm  {DSNS['crm']}",
        f"erp  {DSNS['erp']}",
        f"look   '/a cache/psql' {DSNS['crm']}",
        f"look   '/a cache/psql' {DSNS['erp']}",
    ]


def test_without_psql_the_addresses_are_all() -> None:
    found = _lines(Addresses("127.0.0.1:3", DSNS, None))
    assert found == ["kafka  127.0.0.1:3", f"crm  {DSNS['crm']}", f"erp  {DSNS['erp']}"]
