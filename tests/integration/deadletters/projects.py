"""A project with nothing but its topics."""

from typing import Any

from duplex import broker
from schemas.project.model import Project
from schemas.topics import Topics


async def made(bootstrap: str, pipeline: str) -> Project:
    """A project of one entity in one system, and its topics."""
    held = {"table": "t", "map": {"email": "email"}}
    entity = {"fields": {"email": {}}, "systems": {"crm": held}}
    found = {"pipeline": pipeline, "kafka": {"bootstrap": bootstrap}, "entities": {"contact": entity}}
    project = Project.model_validate(found | {"systems": {"crm": {"connector": "memory"}}})
    names = Topics(pipeline, partitions=2)
    await broker.create_missing(kafka(project), names.all({"contact": ("crm",)}), 1)
    return project


def kafka(project: Project) -> dict[str, Any]:
    """The arguments of the project's Kafka clients."""
    return {"bootstrap_servers": project.kafka.bootstrap}
