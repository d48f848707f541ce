"""Which worker of a test run plays what, where it has three: two play what waits for servers, and the third what only
computes, at a lower priority, so that it takes no more than the time in which the other two wait."""

import os

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

COMPUTING = ("tests/unit/", "tests/simulation/")
WORKERS = 3
LAST = f"gw{WORKERS - 1}"
NICENESS = 5


class Apart(LoadFileScheduling):
    """Files in order; the last worker gets those that compute and no others, and ends when there are none left."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        file = self._next(computes=node.gateway.id == LAST)
        if file is None:
            node.shutdown()
            return
        self.workqueue.move_to_end(file, last=False)
        super()._assign_work_unit(node)

    def _next(self, computes: bool) -> str | None:
        if computes:
            return next((file for file in self.workqueue if file.startswith(COMPUTING)), None)
        waiting = (file for file in self.workqueue if not file.startswith(COMPUTING))
        return next(waiting, next(iter(self.workqueue), None))


def scheduler(config: pytest.Config, log: Producer) -> Apart | None:
    """For a run by file with as many workers; None: pytest's own."""
    by_file = config.getoption("dist") == "loadfile"
    return Apart(config, log) if by_file and config.getoption("numprocesses") == WORKERS else None


def give_way(config: pytest.Config) -> None:
    """Lower the priority of this process, where it is the worker that computes."""
    found = getattr(config, "workerinput", None)
    if found is not None and found["workercount"] == WORKERS and found["workerid"] == LAST:
        os.nice(NICENESS)
