"""What the target says when it does not take a write, sorted: one command's fault, worth a wait, or the batch's."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import asyncpg

from connectors.errors import ConnectorsError
from connectors.postgres.connections import GONE, unreachable
from connectors.postgres.settings import Access

# Classes of SQLSTATE that one row's values can bring about: data, integrity, triggers and functions of the table's
# owner, a view's check option, a limit of the server. Everything else is about the table, the rights or the server.
ROW_CLASSES = frozenset({"21", "22", "23", "27", "38", "39", "44", "54", "P0"})
FOREIGN_KEY_MISSING = "23503"
WORTH_ANOTHER_TRY = frozenset({FOREIGN_KEY_MISSING, "23505", "23P01"})
COLLISIONS = frozenset({"40001", "40P01"})
STALE_STATEMENT = frozenset({"42703", "42804", "42P10", "42883", "42P01", "0A000"})
SENTENCE_LIMIT = 500


@dataclass(eq=False)
class BatchRefusedError(ConnectorsError):
    """The system did not take a batch for a reason that is no single command's. Nothing of it took effect."""

    system: str
    code: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.system} did not take a batch of commands ({self.code}: {self.reason}). {self.remedy}"


def is_rows_fault(error: asyncpg.PostgresError) -> bool:
    """Whether one row of the statement can be to blame, so that the others should be tried without it."""
    code = error.sqlstate or ""
    return code[:2] in ROW_CLASSES or (code == "42501" and "row-level security" in str(error))


def is_worth_the_ordinary_way(code: str) -> bool:
    """Whether a batch that failed as a single statement may be carried out in steps."""
    return code[:2] in ROW_CLASSES or code in COLLISIONS or code in STALE_STATEMENT or code == "42501"


def sentence(error: asyncpg.PostgresError) -> str:
    """What the target said, with the constraint and column it named; never the row itself, which is in `detail`."""
    told = str(error.args[0]) if error.args else type(error).__name__
    named = [
        f"{label} {value}"
        for label, value in (("constraint", error.constraint_name), ("column", error.column_name))
        if value and f'"{value}"' not in told
    ]
    where = f" ({', '.join(named)})" if named else ""
    return f"{told}{where} [{error.sqlstate}]"[:SENTENCE_LIMIT]


@contextlib.contextmanager
def translated(access: Access) -> Iterator[None]:
    """Raise the driver's errors as this package's: UnreachableError, BatchRefusedError."""
    try:
        yield
    except GONE as error:
        raise unreachable(access, error) from error
    except asyncpg.InterfaceError as error:
        # A value that the driver cannot send is a mistake of ours; all else says that the connection is gone.
        if isinstance(error, ValueError):
            raise
        raise unreachable(access, error) from error
    except asyncpg.PostgresError as error:
        raise BatchRefusedError(access.system, error.sqlstate or "", str(error), _remedy(error)) from error


def _remedy(error: asyncpg.PostgresError) -> str:
    remedies = {
        "55P03": "A row or the table is locked by another transaction: see pg_blocking_pids(). The batch comes again.",
        "57014": "It took longer than statement_timeout: see what blocks it. The batch comes again.",
        "42501": "The sink's role lacks a right: run `duplex apply`.",
        "42P01": "A table is gone: run `duplex check`.",
        "42703": "A column is gone: run `duplex check`.",
    }
    return remedies.get(error.sqlstate or "", "The batch comes again.")
