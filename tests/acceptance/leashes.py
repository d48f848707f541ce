"""A test run that is killed takes the programs along that it started."""

import functools
import os
from collections.abc import Callable

from duplex.supervisor import lifeline


def ends_with_this_process() -> Callable[[], None]:
    """What a child calls before it becomes the program (`preexec_fn`)."""
    return functools.partial(lifeline.die_with_parent, os.getpid())
