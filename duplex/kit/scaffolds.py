"""A package of a user's own connector, to begin with: it works as it is, and stands the cases."""

import keyword
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from connectors import registry
from duplex.usage import UsageError

FILES = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "readme.md.txt",
    "{module}.py": "connector.py.txt",
    "test_{module}.py": "test_connector.py.txt",
}


def written(name: str, folder: Path) -> list[Path]:
    """Write the package into a folder that is made for it. Raises UsageError for a name or folder that cannot be."""
    module = _module(name)
    if name in registry.kinds():
        why = "a connector of this name is installed already, and the project file could mean either"
        raise UsageError("no such name can be had", name, why, "Choose another: `my-shop`.")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError("nothing was written", str(folder), "it exists, and is not empty", "Choose another --folder.")
    folder.mkdir(parents=True, exist_ok=True)
    words = {"NAME": name, "MODULE": module, "CLASS": "".join(part.title() for part in module.split("_"))}
    made = []
    for target, source in FILES.items():
        path = folder / target.replace("{module}", module)
        path.write_text(_filled(source, words))
        made.append(path)
    return made


def _module(name: str) -> str:
    module = name.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", module) or keyword.iskeyword(module):
        why = "it names a Python module and a kind of system"
        raise UsageError("no such name can be had", name, why, "Use small letters, digits and hyphens: `my-shop`.")
    return f"{module}_connector"


def _filled(source: str, words: Mapping[str, str]) -> str:
    text = (files("duplex.kit") / "scaffold" / source).read_text()
    return re.sub(r"<<(NAME|MODULE|CLASS)>>", lambda found: words[found[1]], text)
