"""docker-compose.yml names the images, ports, variables and commands that the program itself uses."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
from ruamel.yaml import YAML

from duplex.cli import main
from duplex.cli.run import DEFAULT_PORT
from duplex.embedded import binaries, jars, kafka, postgres
from duplex.embedded.runtime import KAFKA_VARIABLE, dsn_variable
from duplex.proposals import files

ROOT = Path(__file__).parents[2]
# What differs between a container and a broker on the loopback interface: where it listens, where its data is.
OF_THE_PLACE = {
    "advertised.listeners",
    "broker.heartbeat.interval.ms",
    "broker.session.timeout.ms",
    "controller.quorum.voters",
    "inter.broker.listener.name",
    "listeners",
    "log.cleaner.dedupe.buffer.size",
    "log.dirs",
    "offsets.topic.num.partitions",
    "transaction.state.log.num.partitions",
}


@pytest.fixture
def services() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]
    return found


def host_ports(service: dict[str, Any]) -> list[tuple[str, str]]:
    """The published ports: on the loopback interface alone."""
    parts = [port.split(":") for port in service["ports"]]
    assert {part[0] for part in parts} == {"127.0.0.1"}
    return [(part[1], part[2]) for part in parts]


def test_images_are_the_versions_of_the_embedded_servers(services: dict[str, Any]) -> None:
    assert services["kafka"]["image"] == f"apache/kafka:{jars.VERSION}"
    major = binaries.INSTALLATION.removeprefix("pginstall")
    assert {services[name]["image"] for name in ("crm", "erp")} == {f"postgres:{major}"}


def test_kafka_is_set_up_like_the_embedded_one(services: dict[str, Any]) -> None:
    lines = (kafka.TEMPLATES / "server.properties").read_text().splitlines()
    wanted = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    given = services["kafka"]["environment"]
    for name in wanted.keys() - OF_THE_PLACE:
        assert str(given["KAFKA_" + name.upper().replace(".", "_")]) == wanted[name], name


def test_clients_reach_kafka_where_it_says_it_is(services: dict[str, Any]) -> None:
    advertised = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    inside, outside = (address.split("//")[1] for address in advertised.split(","))
    assert services["duplex"]["environment"][KAFKA_VARIABLE] == inside
    assert services["kafka"]["healthcheck"]["test"][-1] == inside
    assert host_ports(services["kafka"]) == [(outside.split(":")[1],) * 2]


@pytest.mark.parametrize("name", ["crm", "erp"])
def test_the_worker_reaches_each_database(services: dict[str, Any], name: str) -> None:
    server = services[name]["environment"]
    dsn = f"postgresql://{postgres.SUPERUSER}:{server['POSTGRES_PASSWORD']}@{name}:5432/{server['POSTGRES_DB']}"
    assert services["duplex"]["environment"][dsn_variable(name)] == dsn
    ((host, container),) = host_ports(services[name])
    assert container == "5432"
    told = dsn.replace(f"{name}:5432", f"localhost:{host}")
    assert f"{dsn_variable(name)}={told}" in (ROOT / "docker-compose.yml").read_text()


@pytest.mark.parametrize("name", ["crm", "erp"])
def test_postgres_has_what_capture_needs(services: dict[str, Any], name: str) -> None:
    options = dict(word.split("=") for word in services[name]["command"] if "=" in word)
    assert options.items() <= postgres.OPTIONS.items()
    assert {"wal_level", "track_commit_timestamp", "max_connections"} <= options.keys()


def test_the_worker_has_the_variables_a_new_project_file_reads(services: dict[str, Any]) -> None:
    read = set(re.findall(r'"\$\{env:([A-Z_]+)\}"', files.example("shop")))
    assert read <= services["duplex"]["environment"].keys()


def test_the_worker_runs_a_command_the_program_has(services: dict[str, Any]) -> None:
    name, *arguments = services["duplex"]["command"]
    command = typer.main.get_command(main.app).commands[name]  # type: ignore[attr-defined]
    parsed = command.make_context(name, arguments).params
    assert parsed["http_host"] == "0.0.0.0"
    assert parsed["http_port"] == DEFAULT_PORT


def test_commands_in_the_remarks_exist() -> None:
    known = typer.main.get_command(main.app).commands  # type: ignore[attr-defined]
    told = re.findall(r"compose run --rm duplex (\w+) ?([-\w]*)", (ROOT / "docker-compose.yml").read_text())
    assert told
    for name, option in told:
        assert name in known
        known[name].make_context(name, [option] if option else [])


def test_health_is_asked_where_the_worker_answers(services: dict[str, Any]) -> None:
    worker = services["duplex"]
    assert f":{DEFAULT_PORT}/health" in worker["healthcheck"]["test"][-1]
    assert host_ports(worker) == [(str(DEFAULT_PORT),) * 2]
    assert {name: each["condition"] for name, each in worker["depends_on"].items()} == dict.fromkeys(
        ("kafka", "crm", "erp"), "service_healthy"
    )


def test_the_image_is_built_from_what_the_project_has() -> None:
    text = (ROOT / "Dockerfile").read_text()
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / path).exists() for path in source.split())
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {"schemas", "streams", "connectors", "duplex", "pyproject.toml", "uv.lock"} <= allowed
    assert re.search(r"UV_VERSION := (\S+)", (ROOT / "Makefile").read_text())[1] in text  # type: ignore[index]
