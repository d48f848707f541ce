"""The servers of the comparison: those of every benchmark, with memory and settings as the peers were tuned for."""

import os
import uuid

import asyncpg

from benchmarks.stage import SERVERS, Stage
from duplex.embedded.home import Home, default_home
from duplex.embedded.runtime import Runtime
from duplex.embedded.settings import Progress, Settings, silent

HEAP_MB = 1024
TUNING = {
    "shared_buffers": "512MB",
    "max_wal_size": "6GB",
    "checkpoint_timeout": "30min",
    "jit": "off",
    "max_replication_slots": "20",
    "max_wal_senders": "20",
    "max_worker_processes": "16",
    "max_logical_replication_workers": "8",
}


async def start(progress: Progress = silent) -> Stage:
    """Start a broker and two Postgres servers; a killed benchmark leaves nothing running."""
    shared = default_home()
    home = Home(shared.root.parent / "benchmarks" / f"{os.getpid()}-{uuid.uuid4().hex[:8]}", shared.downloads)
    runtime = Runtime(home, Settings(heap_mb=HEAP_MB), owner="process", wipe_at_end=True, environment={})
    try:
        addresses = runtime.start(SERVERS, progress)
        dsns = {name: await _tuned(runtime, name, dsn) for name, dsn in addresses.dsns.items()}
    except BaseException:
        runtime.stop()
        raise
    return Stage(runtime, addresses.bootstrap, dsns)


async def _tuned(runtime: Runtime, name: str, dsn: str) -> str:
    """Write the settings and start again, for some count only from then on."""
    connection = await asyncpg.connect(dsn)
    for setting, wanted in TUNING.items():
        await connection.execute(f"alter system set {setting} = '{wanted}'")
    await connection.close()
    server = runtime.postgres_server(name)
    server.stop()
    return server.start(name, silent)
