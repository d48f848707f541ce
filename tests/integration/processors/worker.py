"""A worker process to be killed: `python -m tests.integration.processors.worker BOOTSTRAP PIPELINE`."""

import asyncio
import sys

from streams.app import build_app, host
from tests.integration.processors.folds import fold_of, hosting_of


async def main(bootstrap: str, pipeline: str) -> None:
    await host(build_app(hosting_of(bootstrap, pipeline, batch_records=100), [fold_of(pipeline)]))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
