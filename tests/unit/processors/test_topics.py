"""Topics are checked before anything starts."""

import pytest

from streams.processors.errors import PartitionCountError, TopicMissingError
from streams.processors.topics import check_together


def test_shared_count_is_returned():
    assert check_together("merge", ["a", "b"], {"a": 4, "b": 4, "other": 1}) == 4


def test_missing_topic_is_named_with_what_creates_it():
    with pytest.raises(TopicMissingError, match=r"merge needs topic b.*duplex apply"):
        check_together("merge", ["a", "b"], {"a": 4})


def test_differing_counts_are_listed():
    with pytest.raises(PartitionCountError, match="a: 4, b: 3"):
        check_together("merge", ["a", "b"], {"a": 4, "b": 3})
