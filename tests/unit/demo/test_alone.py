"""Two demos would make each other's databases anew."""

from pathlib import Path

import pytest

from duplex.demo.stages import alone
from duplex.errors import DuplexError


def test_a_second_demo_is_refused_and_a_later_one_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with alone(folder), pytest.raises(DuplexError, match="running already"), alone(folder):
        pass
    with alone(folder):
        pass
