"""The error of everything under tools/apps."""


class AppsError(Exception):
    """An application could not be installed or started; the text says what, why, and what to do."""
