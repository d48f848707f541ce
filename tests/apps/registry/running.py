"""A schema registry of a test's own, and a real producer that writes through it."""

import functools
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from duplex.embedded.processes import LOOPBACK, free_port
from duplex.supervisor import lifeline
from tests.apps.registry.installing import Installed

START_LIMIT_S = 240.0
STOP_LIMIT_S = 20.0
PRODUCE_LIMIT_S = 120.0
POLL_S = 0.3
PRODUCER = Path(__file__).with_name("producer.py")


@dataclass(slots=True)
class Registry:
    """The registry's process; it keeps its schemas in memory. `folder` is for its log."""

    installed: Installed
    folder: Path
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """The address by Confluent's protocol."""
        return f"http://{LOOPBACK}:{self.port}/apis/ccompat/v7"

    @property
    def log(self) -> Path:
        return self.folder / "registry.log"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [self.installed.java, "-Xmx400m", "-XX:TieredStopAtLevel=1", "-jar", self.installed.program]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **self._settings()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=functools.partial(lifeline.die_with_parent, os.getpid()),
            )
        deadline = time.monotonic() + START_LIMIT_S
        while not self._answers():
            assert self._process.poll() is None, self.log.read_text(errors="replace")[-3000:]
            assert time.monotonic() < deadline, f"the registry did not answer within {START_LIMIT_S:.0f} s"
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Stop it; it may be stopped already."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def produce(self, bootstrap: str, topic: str, messages: Sequence[Any]) -> None:
        """Have Confluent's producer write these; see `producer.py`."""
        given = {"bootstrap": bootstrap, "registry": self.url, "topic": topic, "messages": messages}
        done = subprocess.run(
            [sys.executable, PRODUCER],
            input=json.dumps(given).encode(),
            env={**os.environ, "PYTHONPATH": str(self.installed.producer)},
            capture_output=True,
            timeout=PRODUCE_LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()[-3000:]

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _settings(self) -> dict[str, str]:
        return {
            "QUARKUS_HTTP_HOST": LOOPBACK,
            "QUARKUS_HTTP_PORT": str(self.port),
            "QUARKUS_MANAGEMENT_HOST": LOOPBACK,
            "QUARKUS_MANAGEMENT_PORT": str(free_port()),
            "QUARKUS_LOG_LEVEL": "WARN",
        }
