"""Reading a project file: as a whole or not at all, with every fault named at its place."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from schemas.project import positions as positions_module
from schemas.project import references, rules, shapes
from schemas.project.findings import Finding, ProjectFileError
from schemas.project.model import Kafka, Project
from schemas.project.positions import Positions, Reader

SIZE_LIMIT_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """A project file that holds together. `digest` is the SHA-256 of its bytes; `warnings` are for a person."""

    project: Project
    positions: Positions
    path: Path
    digest: str
    warnings: tuple[Finding, ...] = ()


def load(path: Path, environment: Mapping[str, str]) -> Loaded:
    """The project in this file, references resolved.

    Raises ProjectFileError with every fault found; a file that is empty, cut short or being written is refused as
    a whole, so that no half of a project can ever take effect.
    """
    content = _content(path)
    positions = Positions(str(path))
    resolver = references.References(positions, path.parent, environment)
    reader = Reader(positions, resolver.resolve)
    tree = reader.read(positions_module.parse(_text(content, str(path)), str(path)))
    tree = _with_default_bootstrap(tree, resolver)
    early = [*reader.findings, *resolver.findings, *references.literal_secrets(positions, reader.written)]
    project = _validated(tree, positions, early)
    findings = rules.check(project, positions)
    errors = [*early, *(finding for finding in findings if finding.severity == "error")]
    _raise_if_any(errors)
    warnings = tuple(finding for finding in findings if finding.severity == "warning")
    return Loaded(project, positions, path, hashlib.sha256(content).hexdigest(), warnings)


def _content(path: Path) -> bytes:
    try:
        before = path.stat()
        content = path.read_bytes()
        after = path.stat()
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror or error}") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or after.st_size != len(content):
        raise _refused(path, "was written while it was read", "try again when the editor has finished")
    if not content.strip():
        raise _refused(path, "the file is empty, so nothing of it is used")
    if len(content) > SIZE_LIMIT_BYTES:
        raise _refused(path, f"larger than {SIZE_LIMIT_BYTES} bytes")
    return content


def _refused(path: Path, message: str, suggestion: str | None = None) -> ProjectFileError:
    return ProjectFileError((Finding(str(path), 1, 1, "", message, suggestion),))


def _text(content: bytes, file: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        raise ProjectFileError((Finding(file, line, column, "", "not UTF-8 text"),)) from error


def _with_default_bootstrap(tree: Any, resolver: references.References) -> Any:
    """The default is itself a reference, and must be resolved, or reported, like one that is written."""
    if not isinstance(tree, dict):
        return tree
    kafka = tree.get("kafka", {})
    if not isinstance(kafka, dict) or "bootstrap" in kafka:
        return tree
    default = resolver.resolve(Kafka().bootstrap, ("kafka", "bootstrap"))
    return {**tree, "kafka": {**kafka, "bootstrap": default}}


def _validated(tree: Any, positions: Positions, early: list[Finding]) -> Project:
    try:
        return Project.model_validate(tree)
    except ValidationError as error:
        # A reference that could not be resolved reads as empty text: what that breaks is already reported.
        known = {(finding.line, finding.column) for finding in early}
        found = [one for one in shapes.findings(error, tree, positions) if (one.line, one.column) not in known]
        raise ProjectFileError(_in_order([*early, *found])) from error


def _raise_if_any(findings: list[Finding]) -> None:
    if findings:
        raise ProjectFileError(_in_order(findings))


def _in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(set(findings), key=lambda finding: (finding.line, finding.column, finding.message)))
