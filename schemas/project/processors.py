"""The processors' processes: how many there are, and what they may have."""

from pydantic import Field

from schemas.project.base import Part
from schemas.project.sizes import Size


class Processors(Part):
    """`workers`: how many processes share the partitions of the processors; more than there are partitions are idle.

    `memory`: how much of the state is held in memory, and the rest on disk; without it, all of it.
    """

    workers: int = Field(1, ge=1, le=64)
    memory: Size | None = None
