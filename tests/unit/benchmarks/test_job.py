"""The small job that processors are compared on."""

from benchmarks.hosts.job import merged


def test_the_newer_value_of_each_field_stays() -> None:
    state = merged({}, "city", "York", 1)
    state = merged(state, "phone", "12", 5)
    state = merged(state, "phone", "11", 4)
    assert state == {"city": ["York", 1], "phone": ["12", 5]}
