"""A text in the user's editor."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from duplex.deadletters.errors import EditError

Read = TypeVar("Read")
FOLDER_HINT = "duplex-"


def edited(text: str, read: Callable[[str], Read], environment: Mapping[str, str] = os.environ) -> Read:
    """What `read` makes of a text after $VISUAL or $EDITOR was at it. Raises EditError; then the text is kept in a file
    that the error names, so that nothing typed is lost."""
    editor = environment.get("VISUAL") or environment.get("EDITOR")
    if not editor:
        raise EditError("--edit", "neither VISUAL nor EDITOR names an editor", "Set EDITOR, or use --set PATH=JSON.")
    handle, name = tempfile.mkstemp(prefix=FOLDER_HINT, suffix=".json")
    path = Path(name)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    _run(editor, path)
    try:
        found = read(path.read_text(encoding="utf-8"))
    except (EditError, UnicodeDecodeError) as error:
        why = error.why if isinstance(error, EditError) else str(error)
        raise EditError("--edit", why, f"Nothing was sent; what was typed is kept in {path}.") from error
    path.unlink()
    return found


def _run(editor: str, path: Path) -> None:
    try:
        code = subprocess.run([*shlex.split(editor), str(path)], check=False).returncode
    except (OSError, ValueError) as error:
        path.unlink()
        raise EditError("--edit", f"{editor} cannot be run ({error})", "Set EDITOR to one that can.") from error
    if code:
        raise EditError("--edit", f"{editor} ended with {code}", f"Nothing was sent; the text is in {path}.")
