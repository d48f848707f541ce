"""`processors: {memory: …}` in the project file."""

from schemas.project.model import Processors, Project
from streams.app import spill_of

MIB = 1024 * 1024


def project(**processors) -> Project:
    held = {"table": "t", "map": {"name": "name"}}
    entity = {"identity": "key", "fields": {"name": {"type": "string"}}, "systems": {"crm": held, "erp": held}}
    system = {"connector": "memory"}
    return Project.model_validate(
        {
            "pipeline": "shop",
            "systems": {"crm": system, "erp": system},
            "entities": {"contact": entity},
            "processors": processors,
        }
    )


def test_memory_is_a_size():
    assert Processors.model_validate({"memory": "512MiB"}).memory == 512 * MIB
    assert Processors().memory is None


def test_without_a_limit_nothing_goes_to_disk(tmp_path):
    assert spill_of(project(), tmp_path) is None


def test_workers_share_the_memory(tmp_path):
    """Half of it is for keys in use; one store has all of that."""
    alone, shared = (spill_of(project(memory="512MiB", workers=workers), tmp_path) for workers in (1, 2))
    assert alone.share_bytes == 256 * MIB and shared.share_bytes == 128 * MIB
    assert alone.path("merge.contact", 3) == tmp_path / ".duplex" / "state" / "merge.contact" / "3"
