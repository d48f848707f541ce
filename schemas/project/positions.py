"""YAML text as plain values, with the place of every key and value, and every fault of the text itself.

The node tree is read rather than the loaded document, because only it tells each key's place and a key written
twice. References are resolved on the way (`schemas.project.references`), so that their faults have places as well.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from schemas.project.findings import Finding, Path, ProjectFileError, Severity, path_text

NODES_LIMIT = 100_000
DEPTH_LIMIT = 40
_TAG = "tag:yaml.org,2002:"
Place = tuple[int, int]


@dataclass(slots=True)
class Positions:
    """Line and column, from 1, of every key and value of one file; a path that is not there has its parent's."""

    file: str
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)

    def key(self, path: Path) -> Place:
        """Where this key is written."""
        while path and path not in self.keys:
            path = path[:-1]
        return self.keys.get(path, (1, 1))

    def value(self, path: Path) -> Place:
        """Where this key's value starts; the key's own place if the file does not have it."""
        return self.values[path] if path in self.values and path else self.key(path)

    def finding(
        self,
        path: Path,
        message: str,
        suggestion: str | None = None,
        *,
        at_key: bool = False,
        severity: Severity = "error",
    ) -> Finding:
        """A finding about this path."""
        line, column = self.key(path) if at_key else self.value(path)
        return Finding(self.file, line, column, path_text(path), message, suggestion, severity)


Resolve = Callable[[str, Path], str]


def parse(text: str, file: str) -> Node:
    """The node tree of a YAML text. Raises ProjectFileError for text that is not one whole YAML document."""
    try:
        root: Node | None = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise ProjectFileError((Finding(file, line, column, "", f"not valid YAML: {error.problem}"),)) from error
    except (YAMLError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ProjectFileError((Finding(file, 1, 1, "", f"not valid YAML: {reason}"),)) from error
    if root is None:
        raise ProjectFileError((Finding(file, 1, 1, "", "the file is empty, so nothing of it is used"),))
    return root


class Reader:
    """Turns nodes into values. `findings` collects what is wrong with the text; reading goes on after each."""

    def __init__(self, positions: Positions, resolve: Resolve) -> None:
        self.positions = positions
        self.findings: list[Finding] = []
        self.referring: set[Path] = set()
        self.written: dict[Path, str] = {}
        self._resolve = resolve
        self._nodes = 0

    def read(self, node: Node, path: Path = ()) -> Any:
        """The value of a node, its places noted."""
        self._nodes += 1
        self.positions.values[path] = _place(node)
        if self._nodes > NODES_LIMIT or len(path) > DEPTH_LIMIT:
            raise ProjectFileError((self.positions.finding(path[:8], "nested too deep, or too large to read"),))
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return self._sequence(node, path)
        return self._scalar(str(node.tag), str(node.value), node, path)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            name = self._key(key_node, path)
            if name is None:
                continue
            inner = (*path, name)
            if name in found:
                line = self.positions.keys[inner][0]
                self._report(key_node, inner, f"written twice, first in line {line}", "keep one of them")
                continue
            self.positions.keys[inner] = _place(key_node)
            found[name] = self.read(value_node, inner)
        return found

    def _sequence(self, node: SequenceNode, path: Path) -> list[Any]:
        # An entry of a list has no key: what is said of it as a whole is said at its first character.
        self.positions.keys.update({(*path, index): _place(item) for index, item in enumerate(node.value)})
        return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]

    def _key(self, node: Node, path: Path) -> str | None:
        if not isinstance(node, ScalarNode):
            self._report(node, path, "a key must be a single word")
        elif node.tag == f"{_TAG}merge":
            self._report(node, path, "merge keys (<<) are not supported", "write the keys out")
        else:
            return str(node.value).lower() if node.tag == f"{_TAG}bool" else str(node.value)
        return None

    def _scalar(self, full_tag: str, text: str, node: Node, path: Path) -> Any:
        tag = full_tag.removeprefix(_TAG)
        if tag in ("str", "timestamp"):
            self.written[path] = text
            return self._referenced(text, path)
        if tag == "null":
            return None
        if tag == "bool":
            return text.lower() == "true"
        if tag in ("int", "float"):
            return self._number(node, tag, text, path)
        self._report(node, path, f"the tag {full_tag} is not supported")
        return None

    def _number(self, node: Node, tag: str, text: str, path: Path) -> Any:
        if tag == "int" and len(text) > 1 and text[0] == "0" and text.isdigit():
            self._report(node, path, f"{text} is a number here and loses its zeros", f'write "{text}" in quotes')
        try:
            return _integer(text) if tag == "int" else float(text.replace("_", ""))
        except ValueError:
            return text

    def _referenced(self, text: str, path: Path) -> str:
        if "$" in text:
            self.referring.add(path)
        return self._resolve(text, path)

    def _report(self, node: Node, path: Path, message: str, suggestion: str | None = None) -> None:
        line, column = _place(node)
        self.findings.append(Finding(self.positions.file, line, column, path_text(path), message, suggestion))


def _place(node: Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _integer(text: str) -> int:
    plain = text.replace("_", "")
    return int(plain) if plain.lstrip("+-").isdigit() else int(plain, 0)
