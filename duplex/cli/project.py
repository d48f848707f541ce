"""The project file, for a command that needs it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from duplex.usage import UsageError

if TYPE_CHECKING:
    from schemas.project.loading import Loaded


class ProjectMissingError(UsageError):
    """There is no project file where the command looked."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            "no project file",
            str(path),
            "the file does not exist",
            "Write one with `duplex init`, or name yours with --project FILE or DUPLEX_PROJECT.",
        )


def load(path: Path) -> "Loaded":
    """The project file, valid in itself. Raises ProjectMissingError, ProjectFileError."""
    from schemas.project.loading import load as load_file

    if not path.is_file():
        raise ProjectMissingError(path)
    return load_file(path, os.environ)
