"""A worker process to be killed: `python -m tests.integration.processors.worker BOOTSTRAP PIPELINE [FOLDER]`."""

import asyncio
import sys
from pathlib import Path

from streams.app import build_app, host
from streams.processors.spilled import Spill
from tests.integration.processors.folds import fold_of, hosting_of


async def main(bootstrap: str, pipeline: str, folder: str = "") -> None:
    spill = Spill(Path(folder), 0) if folder else None
    await host(build_app(hosting_of(bootstrap, pipeline, batch_records=100, spill=spill), [fold_of(pipeline)]))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
