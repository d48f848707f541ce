"""The pages against the program: links, commands, metrics, keys of the project file, and the examples."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import prometheus_client
import pydantic
import pytest
import typer.main

import connectors
import streams
from connectors.postgres import settings
from duplex.cli.main import app
from duplex.supervisor.supervisor import Supervisor
from schemas.project import model
from schemas.project.loading import load
from streams.processors import user_processors

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
ENVIRONMENT = dict.fromkeys(("KAFKA_BOOTSTRAP_SERVERS", "KAFKA_PASSWORD", "CRM_PASSWORD", "ERP_PASSWORD"), "x:1") | {
    "CRM_DSN": "postgresql://localhost/crm",
    "ERP_DSN": "postgresql://localhost/erp",
}
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
COMMAND = re.compile(r"(?:^|[\s(`\"])duplex (?P<words>[a-z-][^`\n#|\")]*)", re.MULTILINE)
METRIC = re.compile(r"\bduplex_[a-z_]+")
PLANNED = re.compile(r"\bPlanned:[^.]*\.")


def _prose(page: Path) -> str:
    return FENCE.sub("", page.read_text())


def _slugs(page: Path) -> set[str]:
    """The anchors that the headings of a page have on GitHub."""
    headings = re.findall(r"^#+ (.+)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_relative_link_resolves(page: Path) -> None:
    for found in LINK.finditer(_prose(page)):
        target, _, anchor = found["target"].partition("#")
        if "://" in target:
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{page.name}: {target} is not there"
        assert not anchor or anchor in _slugs(path), f"{page.name}: {path.name} has no heading {anchor}"


def _commands(page: Path) -> Iterator[list[str]]:
    """The commands in code, cut where the next one begins; what is given as planned is left out."""
    text = PLANNED.sub("", page.read_text())
    code = [found["text"] for found in FENCE.finditer(text) if found["info"] in ("", "sh")]
    code += re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    for piece in code:
        for found in COMMAND.finditer(piece):
            yield re.split(r"\s+(?:\||&&|;|…)|[;…]", found["words"])[0].split()


def _command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that these words name, and what follows its name."""
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while rest and rest[0] in getattr(command, "commands", ()):
        command = command.commands[rest.pop(0)]
    return command, rest


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_named_exists_with_its_options(page: Path) -> None:
    for words in _commands(page):
        command, rest = _command(words)
        if hasattr(command, "commands"):
            assert not [word for word in rest if word[0] != "-"], f"{page.name}: no command `duplex {' '.join(words)}`"
        options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
        unknown = [word for word in rest if word.startswith("--") and word not in options]
        assert not unknown, f"{page.name}: `duplex {' '.join(words)}` has no {', '.join(unknown)}"


def test_commands_are_found_at_all() -> None:
    named = [words[0] for page in PAGES for words in _commands(page)]
    assert {"init", "check", "plan", "apply", "run", "status", "doctor", "uninstall", "dev", "topic"} <= set(named)


def _import_all(package: ModuleType) -> None:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(found.name)


def _metrics_in_code() -> set[str]:
    """Every metric under the name that a reader of /metrics meets: counters end in _total."""
    _import_all(streams)
    _import_all(connectors)
    own = Supervisor([], environment={}, lines=lambda *_: None, say=lambda _: None)
    families = [*prometheus_client.REGISTRY.collect(), *own.metrics()]
    suffixes = {family.name: "_total" if family.type == "counter" else "" for family in families}
    return {f"{name}{suffix}" for name, suffix in suffixes.items() if name.startswith("duplex_")}


def test_the_metrics_documented_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(duplex_[a-z_]+)` \|", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    assert set(rows) == _metrics_in_code()


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_metric_named_exists(page: Path) -> None:
    assert set(METRIC.findall(page.read_text())) - {"duplex_capture", "duplex_truncate"} <= _metrics_in_code()


PARTS = [
    value
    for value in vars(model).values()
    if isinstance(value, type) and issubclass(value, model.Part) and value is not model.Part
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_key_of_the_project_file_is_documented(part: type[pydantic.BaseModel]) -> None:
    page = (ROOT / "docs/project-file.md").read_text()
    missing = [name for name in part.model_fields if not re.search(rf"`(?:\{{)?{name}\b", page)]
    assert missing == []


def test_every_setting_of_postgres_is_documented() -> None:
    page = (ROOT / "docs/connectors/postgres.md").read_text()
    defaults = {name: str(standard) for name, (standard, _, _) in settings.LIMITS.items()}
    for name in (*settings.DSN_KEYS, *settings.LIMITS):
        assert re.search(rf"^\| `{name}` \|.*{defaults.get(name, '')}", page, re.MULTILINE), name


def _complete() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for number, found in enumerate(FENCE.finditer(page.read_text())):
            if found["info"] == "yaml complete":
                yield f"{page.stem}-{number}", found["text"]


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in _complete()])
def test_complete_examples_load_without_findings(text: str, tmp_path: Path) -> None:
    path = tmp_path / "duplex.yaml"
    path.write_text(text)
    assert load(path, ENVIRONMENT).warnings == ()


def test_the_example_of_a_processor_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [found["text"] for found in FENCE.finditer((ROOT / "docs/processors.md").read_text())]
    code = next(block for block in blocks if "@processor(input=" in block)
    (tmp_path / "processors").mkdir()
    (tmp_path / "processors" / "export.py").write_text(code)
    (tmp_path / "duplex.yaml").write_text((ROOT / "examples/two-databases/duplex.yaml").read_text())
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    found = user_processors.load(tmp_path, "shop")
    assert [(each.name, each.inputs, each.free_outputs) for each in found] == [
        ("user.export_contacts", ("shop.golden.contact",), ("shop.contacts_json",))
    ]
