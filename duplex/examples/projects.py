"""The folders of the examples, in the tree or in the installed program, and what a showing changes in their files."""

import re
from pathlib import Path

from duplex.usage import UsageError

NAMES = ("two-databases", "crm-marketing", "crm-erp")
# An example asks as seldom as one would in earnest; who watches does not want to wait for that.
HASTE = (
    ("poll: 30s", "poll: 2s"),
    ("sweep: 1m", "sweep: 5s"),
    ("sweep: 5m", "sweep: 5s"),
    ("sweep: 10m", "sweep: 30s"),
    ("sweep: 30m", "sweep: 30s"),
)


class UnknownExampleError(UsageError):
    """An example that does not exist."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "no such example", f"--example {name}", "the program does not have it", f"There are {', '.join(NAMES)}."
        )


def folder(name: str) -> Path:
    """Where an example's `duplex.yaml`, tables and page lie. Raises UnknownExampleError."""
    if name not in NAMES:
        raise UnknownExampleError(name)
    here = Path(__file__).parent
    installed = here / "projects" / name
    return installed if installed.exists() else here.parents[1] / "examples" / name


def text(name: str, file: str) -> str:
    """One file of an example."""
    return (folder(name) / file).read_text()


def hastened(name: str, pipeline: str, bridge_port: int) -> str:
    """The example's project file under another pipeline's name, its bridge on a port of its own, in haste."""
    file = text(name, "duplex.yaml")
    head = f"pipeline: {pipeline}"
    if "webhook:" in file:
        head += f"\nbridge: {{port: {bridge_port}}}"
    file = re.sub(r"^pipeline: .*$", head, file, count=1, flags=re.MULTILINE)
    for slow, fast in HASTE:
        file = file.replace(slow, fast)
    return file
