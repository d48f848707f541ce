"""Errors in what the user typed, told apart from failures by their exit code."""

from duplex.errors import DuplexError


class UsageError(DuplexError):
    """An argument that cannot be: exit code 2."""
