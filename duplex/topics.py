"""The topics of a project: which must exist, with which settings."""

from dataclasses import replace

from duplex import systems
from schemas.project.model import Project
from schemas.topics import DAY_MS, Topics, TopicSpec


def names(project: Project) -> Topics:
    """The names of the project's topics."""
    return Topics(project.pipeline, project.kafka.partitions)


def wanted(project: Project) -> list[TopicSpec]:
    """Every topic of the project as it should be. Raises RefusedError for a kind of system that is not installed."""
    systems_of = {name: tuple(entity.systems) for name, entity in project.entities.items()}
    days = project.kafka.records_retention_days
    kept_ms = -1 if days < 0 else int(days * DAY_MS)
    specs = names(project).all(systems_of, kept_ms, systems.without_log(project), systems.hooked(project))
    if project.kafka.replication_factor < 3:
        return specs
    # Acknowledged by all means by two at least: one broker may be lost without a message.
    return [replace(spec, config={**spec.config, "min.insync.replicas": "2"}) for spec in specs]
