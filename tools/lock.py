"""Trim download addresses out of uv.lock, so that the lock works with whatever index or mirror a machine uses.

What remains (names, versions, hashes, markers) is all that `uv lock --check` and `uv export --frozen` read.
"""

import re
from pathlib import Path

ADDRESS = re.compile(r'url = "https?://[^"]*/([^"/]+)"')
REGISTRY = re.compile(r'registry = "https?://[^"]*"')


def trimmed(lock: str) -> str:
    """The same lock with file names in place of addresses."""
    return REGISTRY.sub('registry = "registry"', ADDRESS.sub(r'url = "\1"', lock))


if __name__ == "__main__":
    path = Path("uv.lock")
    path.write_text(trimmed(path.read_text()))
