"""One Kafka broker in KRaft mode on the loopback interface.

Replication factor 1: enough to develop and to test against, not durability.
"""

import base64
import functools
import shutil
import signal
import socket
import struct
import subprocess
import uuid
from pathlib import Path

from duplex.embedded import processes
from duplex.embedded.java import Java
from duplex.embedded.processes import LOOPBACK, ProcessRecord
from duplex.embedded.settings import Progress, Settings
from duplex.errors import DuplexError

START_LIMIT_S = 120.0
FORMAT_LIMIT_S = 60.0
STOP_SIGNALS = ((signal.SIGTERM, 15.0),)
ATTEMPTS = 3
ANSWER_LIMIT_S = 5.0
TEMPLATES = Path(__file__).parent / "templates"
METADATA_KEY, METADATA_VERSION = 3, 1


class KafkaServer:
    """The broker whose data, settings and logs are in `folder`. Hold the home's lock for `start` and `stop`."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._settings = settings
        self._properties = folder / "server.properties"
        self._record_file = folder / "server.json"
        self._class_list = folder / "classes.list"

    @property
    def log(self) -> Path:
        return self._folder / "kafka.log"

    def running(self) -> ProcessRecord | None:
        """The record of the running broker, if it runs."""
        record = processes.read_record(self._record_file)
        return record if record and processes.alive(record, str(self._properties)) else None

    def start(self, java: Java, progress: Progress) -> str:
        """Start the broker unless it runs and answers; return its bootstrap address.

        Raises DuplexError with the end of its log when it does not come up.
        """
        record = self.running()
        if record and processes.wait_until(functools.partial(answers, record.port), ANSWER_LIMIT_S):
            return address(record)
        self.stop()
        self._folder.mkdir(parents=True, exist_ok=True)
        progress("starting Kafka")
        for _ in range(ATTEMPTS):
            record = self._launch(java)
            if self._came_up(record):
                return address(record)
        raise self._failure()

    def stop(self) -> None:
        """Stop the broker, and any of its kind that was never recorded. Nothing happens when none runs."""
        for record in processes.find(str(self._properties)):
            processes.stop(record, STOP_SIGNALS, str(self._properties))

    def kill(self) -> None:
        """End the broker as a power cut would."""
        for record in processes.find(str(self._properties)):
            processes.stop(record, (), str(self._properties))

    def prepare_archive(self, java: Java) -> None:
        """After a stop: use the list of classes the broker wrote, if it wrote one."""
        java.prepare_archive(self._class_list)

    def _launch(self, java: Java) -> ProcessRecord:
        port = processes.free_port(self._remembered_port())
        self._configure(port)
        if not (self._folder / "data" / "meta.properties").exists():
            self._format(java)
        logging = f"-Dlog4j2.configurationFile={self._folder / 'log4j2.properties'}"
        options = (logging, *java.recording(self._class_list))
        command = java.command(self._settings, options, "kafka.Kafka", self._properties)
        record = processes.spawn(command, self._console(), port=port)
        processes.write_record(self._record_file, record)
        return record

    def _came_up(self, record: ProcessRecord) -> bool:
        def decided() -> bool:
            return answers(record.port) or not processes.alive(record)

        decided_in_time = processes.wait_until(decided, START_LIMIT_S)
        if decided_in_time and processes.alive(record):
            return True
        self.stop()
        return False

    def _remembered_port(self) -> int:
        record = processes.read_record(self._record_file)
        return record.port if record else 0

    def _configure(self, port: int) -> None:
        controller = processes.free_port()
        values = {"port": port, "controller": controller, "data": self._folder / "data", "log": self.log}
        for name in ("server.properties", "log4j2.properties"):
            text = (TEMPLATES / name).read_text()
            (self._folder / name).write_text(_filled(text, values))

    def _format(self, java: Java) -> None:
        """Make the data folder. It gets its final name only when it is complete."""
        unfinished = self._folder / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.rmtree(self._folder / "data", ignore_errors=True)
        properties = self._folder / "format.properties"
        properties.write_text(self._properties.read_text().replace(f"{self._folder / 'data'}", str(unfinished)))
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        program = ("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(properties))
        command = java.command(self._settings, (), *program)
        result = subprocess.run(command, capture_output=True, text=True, timeout=FORMAT_LIMIT_S, check=False)
        if result.returncode != 0:
            raise self._failure(result.stdout + result.stderr)
        unfinished.rename(self._folder / "data")

    def _console(self) -> Path:
        return self._folder / "console.log"

    def _failure(self, output: str | None = None) -> DuplexError:
        lines = (output or processes.tail(self.log) or processes.tail(self._console())).strip().splitlines()
        return DuplexError(
            "Kafka does not start",
            str(self.log),
            "its last words: " + " / ".join(lines[-3:]),
            "Read that log. `duplex dev stop --wipe` starts afresh and deletes what the embedded servers hold.",
        )


def address(record: ProcessRecord) -> str:
    """The bootstrap address of a running broker."""
    return f"{LOOPBACK}:{record.port}"


def answers(port: int) -> bool:
    """Whether a broker on the port answers a metadata request and counts itself in."""
    client = b"duplex"
    request = struct.pack(">hhih", METADATA_KEY, METADATA_VERSION, 1, len(client)) + client + struct.pack(">i", 0)
    try:
        with socket.create_connection((LOOPBACK, port), timeout=ANSWER_LIMIT_S) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            head = connection.recv(12, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(head) == 12 and struct.unpack(">iii", head)[2] > 0


def _filled(text: str, values: dict[str, object]) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", str(value))
    return text
