"""Folders that cannot be trusted are thrown away; those of others are not."""

import random
import subprocess
import sys

import pytest
from structlog.testing import capture_logs

from streams.processors import spilled_files
from streams.processors.spilled_files import DAMAGED, DiskError, DiskInUseError, DiskMissingError, Place, Resources

PLACE = Place("state", 5, bytes(12), {"in": 9})


@pytest.fixture(scope="module")
def resources():
    return Resources(16 * 1024 * 1024)


@pytest.fixture
def path(tmp_path, resources):
    """A folder with a thousand keys, written out and closed."""
    disk = spilled_files.opened(tmp_path / "copy", resources)
    disk.write(((b"%04d" % number, bytes(12) + value(number)) for number in range(1000)), PLACE)
    disk.close()
    disk.close()
    return tmp_path / "copy"


def value(number: int) -> bytes:
    """Something that does not shrink when it is compressed."""
    return random.Random(number).randbytes(100)


def spoil(path):
    """Turn around the bits of the data around keys 0300 to 0500. What is read at the opening stands elsewhere."""
    data = next(path.glob("*.sst"))
    found = bytearray(data.read_bytes())
    middle = slice(len(found) * 3 // 10, len(found) // 2)
    found[middle] = bytes(each ^ 0x55 for each in found[middle])
    data.write_bytes(found)


def test_place_and_values_are_there_again(path, resources):
    disk = spilled_files.opened(path, resources)
    assert disk.place == PLACE and disk.get(b"0007") == value(7)
    assert len(list(disk.items(b""))) == 1000 and next(disk.items(b"001"))[0] == b"0010"
    disk.close()


def test_folder_of_something_else_is_thrown_away(path, resources):
    (path / "CURRENT").write_text("nothing of the kind")
    with capture_logs() as logs:
        disk = spilled_files.opened(path, resources)
    assert disk.place is None and disk.get(b"0007") is None
    assert logs[0]["log_level"] == "warning" and logs[0]["path"] == str(path)
    disk.close()


def test_folder_of_another_form_is_thrown_away(path, resources):
    disk = spilled_files.opened(path, resources)
    disk.write((), Place("state", 5, bytes(12), {}, form=99))
    disk.close()
    disk = spilled_files.opened(path, resources)
    assert disk.place is None
    disk.close()


def test_damage_that_shows_late_is_an_error_and_mended_at_the_next_opening(path, resources):
    spoil(path)
    disk = spilled_files.opened(path, resources)
    with pytest.raises(DiskError, match="Nothing is lost"):
        disk.get(b"0400")
    with pytest.raises(DiskError):
        list(disk.items(b""))
    with pytest.raises(DiskError):
        disk.many([b"0007", b"0400"])
    disk.close()
    assert (path / DAMAGED).exists()
    disk = spilled_files.opened(path, resources)
    assert disk.place is None and list(disk.items(b"")) == []
    disk.close()


def test_folder_in_use_is_left_alone(path, resources):
    disk = spilled_files.opened(path, resources)
    with pytest.raises(DiskInUseError, match="run already"):
        spilled_files.opened(path, resources)
    disk.close()
    disk = spilled_files.opened(path, resources)
    assert disk.place == PLACE
    disk.close()


def test_folder_in_use_by_another_process_is_left_alone(path, resources):
    code = f"from rocksdict import *; d = Rdict({str(path)!r}, options=Options(raw_mode=True)); print(1); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as other:
        other.stdout.readline()
        with pytest.raises(DiskInUseError):
            spilled_files.opened(path, resources)
        other.communicate(b"\n")


def test_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "rocksdict", None)
    with pytest.raises(DiskMissingError, match=r"duplex-sync\[disk\]"):
        Resources(1024 * 1024)
