"""References in a project file: `${env:NAME}` and `${file:PATH}`; `$$` stands for one dollar sign.

Secrets come by reference only: the file is meant to be committed, and shown by `plan` and in errors.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from schemas.project.findings import Finding, nearest
from schemas.project.findings import Path as KeyPath
from schemas.project.positions import Positions

FILE_LIMIT_BYTES = 65_536
_REFERENCE = re.compile(r"\$(?:\$|\{(?P<inside>[^}]*)\}?)")
_SECRET_KEY = re.compile(r"(?:^|_)(?:password|passwd|secret|token|api_key|private_key)$")
# A connector's template that names a value given elsewhere: `{{ password }}`.
_NAMED = re.compile(r"\{\{\s*[a-z_.]+\s*\}\}")
_SECRET_IN_ADDRESS = re.compile(r"://[^/@\s]*?:(?P<first>[^@/]+)@|(?:^|[?&\s])password\s*=\s*(?P<second>[^&\s]+)")


@dataclass(slots=True)
class References:
    """Resolves the references of one file; what cannot be resolved is a finding, and reads as empty text."""

    positions: Positions
    folder: Path
    environment: Mapping[str, str]
    findings: list[Finding] = field(default_factory=list)

    def resolve(self, text: str, path: KeyPath) -> str:
        """The text with every reference replaced."""
        return _REFERENCE.sub(lambda found: self._one(found, path), text) if "$" in text else text

    def _one(self, found: re.Match[str], path: KeyPath) -> str:
        inside = found["inside"]
        if inside is None:
            return "$"
        scheme, _, name = inside.partition(":")
        if not found[0].endswith("}") or scheme not in ("env", "file") or not name:
            self._report(path, f"{found[0]} is no reference", f"write ${{env:{_variable(inside)}}} or ${{file:PATH}}")
            return ""
        return self._variable(name, path) if scheme == "env" else self._file(name, path)

    def _variable(self, name: str, path: KeyPath) -> str:
        value = self.environment.get(name)
        if value is None or value == "":
            state = "is not set" if value is None else "is empty"
            near = nearest(name, self.environment)
            self._report(path, f"environment variable {name} {state}", near if near else f"set {name}")
            return ""
        return value

    def _file(self, name: str, path: KeyPath) -> str:
        target = self.folder / name
        try:
            with target.open("rb") as opened:
                content = opened.read(FILE_LIMIT_BYTES + 1)
            if len(content) > FILE_LIMIT_BYTES:
                raise OSError(f"larger than {FILE_LIMIT_BYTES} bytes")
            return content.decode().rstrip("\r\n")
        except OSError as error:
            self._report(path, f"file {name} cannot be read: {error.strerror or error}")
        except UnicodeDecodeError:
            self._report(path, f"file {name} is not UTF-8 text")
        return ""

    def _report(self, path: KeyPath, message: str, suggestion: str | None = None) -> None:
        self.findings.append(self.positions.finding(path, message, suggestion))


def _variable(inside: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "", inside.rpartition(":")[2]) or "NAME"


def literal_secrets(positions: Positions, written: Mapping[KeyPath, str]) -> list[Finding]:
    """Secrets that stand in the file itself, by the names of their keys or the form of an address."""
    return [
        positions.finding(
            path,
            "a secret does not belong in this file",
            f"write ${{env:{'_'.join(map(str, path[1:])).upper()}}} or ${{file:PATH}}",
        )
        for path, text in written.items()
        if path and path[0] in ("kafka", "systems") and _is_literal_secret(path, text)
    ]


def _is_literal_secret(path: KeyPath, text: str) -> bool:
    if _SECRET_KEY.search(str(path[-1])) or path[-2:] == ("auth", "key") or path[-2:-1] == ("secrets",):
        return bool(text) and "${" not in text and _NAMED.fullmatch(text) is None
    found = _SECRET_IN_ADDRESS.search(text)
    return found is not None and "${" not in (found["first"] or found["second"])
