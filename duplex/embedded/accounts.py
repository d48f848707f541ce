"""The account that Postgres runs as: it refuses to run as root."""

import os
import pwd
import shutil
import subprocess

from duplex.embedded.processes import Account
from duplex.errors import DuplexError

NAME = "duplex"
LIMIT_S = 30


def unprivileged_account() -> Account | None:
    """None for an ordinary user; for root the system account `duplex`, made if it does not exist.

    Raises DuplexError when the account cannot be made.
    """
    if os.geteuid() != 0:
        return None
    return _existing() or _made()


def _existing() -> Account | None:
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        return None
    return Account(NAME, entry.pw_uid, entry.pw_gid)


def _made() -> Account:
    program = shutil.which("useradd")
    command = [program or "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    why = "there is no `useradd`"
    if program:
        # Another start may be making it at this moment; what counts is that it exists afterwards.
        result = subprocess.run([*command, NAME], capture_output=True, text=True, timeout=LIMIT_S, check=False)
        why = result.stderr.strip()
    account = _existing()
    if account:
        return account
    raise DuplexError(
        "no account for Postgres to run as",
        f"system account {NAME}",
        f"Postgres refuses to run as root, and the account cannot be made: {why}",
        f"Run duplex as an ordinary user, or make a system account named {NAME}.",
    )
