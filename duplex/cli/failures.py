"""Errors as a person reads them, and the exit code of each."""

from connectors.errors import ConnectorsError
from duplex.cli.output import Exit
from duplex.errors import DuplexError
from duplex.usage import UsageError
from schemas.errors import SchemasError
from schemas.project.findings import ProjectFileError
from streams.errors import StreamsError

EXPECTED = (DuplexError, SchemasError, ConnectorsError, StreamsError)


def described(error: BaseException) -> tuple[str, Exit]:
    """The text to show for an error, and the exit code it leads to."""
    if isinstance(error, ProjectFileError):
        return str(error), Exit.USAGE
    if isinstance(error, UsageError):
        return str(error), Exit.USAGE
    if isinstance(error, BaseExceptionGroup):
        return described(error.exceptions[0])
    if isinstance(error, EXPECTED):
        return str(error), Exit.FAILURE
    if isinstance(error, OSError):
        return _of_system(error), Exit.FAILURE
    return (
        f"duplex met something it did not expect: {type(error).__name__}: {error}. "
        "Repeat the command with --debug before it (`duplex --debug …`) to see where, and report that."
    ), Exit.FAILURE


def expected(error: BaseException) -> bool:
    """Whether the error explains itself, so that a traceback would only be in the way."""
    if isinstance(error, BaseExceptionGroup):
        return all(expected(each) for each in error.exceptions)
    return isinstance(error, EXPECTED)


def _of_system(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"
