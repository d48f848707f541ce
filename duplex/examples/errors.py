"""The errors of everything under duplex.examples."""

from duplex.errors import DuplexError


class ApplicationError(DuplexError):
    """An application could not be installed, started, or asked for something."""
