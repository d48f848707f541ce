"""The demo as its user plays it: on the embedded servers, judged by what they hold."""

import json
import os
import subprocess
import sys

KEYS = ["ok", "edits", "commands", "echoes", "conflicts", "lost", "duplicates", "differences", "p50_ms", "p99_ms"]


def test_the_demo_plays_and_every_check_holds() -> None:
    given = {name: value for name, value in os.environ.items() if name not in ("KAFKA_BOOTSTRAP_SERVERS", "CRM_DSN")}
    command = [sys.executable, "-m", "duplex", "demo", "--once", "--json"]
    played = subprocess.run(command, env=given, capture_output=True, text=True, timeout=280, check=False)
    assert played.returncode == 0, played.stderr[-4000:] + played.stdout
    (line,) = played.stdout.splitlines()
    figures = json.loads(line)
    assert list(figures) == [*KEYS, "cold_start_s"]
    assert (figures["ok"], figures["lost"], figures["duplicates"], figures["differences"]) == (True, 0, 0, 0)
    assert figures["edits"] >= 2000
    assert figures["conflicts"] >= 21
