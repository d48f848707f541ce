"""The state of one partition on disk, in a folder of its own: a copy of its changelog, up to a mark.

Nothing here is the truth. What was being written when the machine stopped is gone, and read from the changelog again;
a folder that cannot be trusted is thrown away. So nothing waits for the disk: there is no log beside the data, and the
*place* up to which the copy goes is written together with it, as one.

A value stands under its key as it stands in the changelog: its stamp first. A key that was forgotten while the
changelog was read has a tombstone: a byte that no stamp begins with, and the stamp.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import structlog

from streams.errors import StreamsError
from streams.processors.changelogs import MARK_KEY

log = structlog.get_logger(__name__)
FORMAT = 1
STAMP_BYTES = 12
TOMBSTONE = b"\xff"
DAMAGED = "DAMAGED"
MOST_WRITE_BUFFER_BYTES = 64 * 1024 * 1024
FILES_OPEN = 64


class Place(msgspec.Struct, array_like=True, frozen=True):
    """How far a copy goes: the changelog's topic, the offset behind a mark, and the mark's stamp and positions."""

    topic: str
    offset: int
    frame: bytes
    positions: dict[str, int]
    form: int = FORMAT


@dataclass(eq=False)
class DiskError(StreamsError):
    """The disk, or what is on it, fails."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return (
            f"the copy of the state in {self.path} cannot be used: {self.reason}. Nothing is lost, the state is in "
            "Kafka: see that the disk has room and is writable. The copy is made anew at the next start"
        )


@dataclass(eq=False)
class DiskInUseError(DiskError):
    """Another process has the folder open."""

    def __str__(self) -> str:
        return (
            f"another process uses the copy of the state in {self.path} ({self.reason}): the processors of this "
            "project run already. Stop them, or wait until they have ended"
        )


@dataclass(eq=False)
class DiskMissingError(StreamsError):
    """The library is not installed."""

    def __str__(self) -> str:
        return (
            "processors.memory in the project file puts state on disk that exceeds it, and that takes the package "
            "rocksdict: install duplex-sync[disk], or leave processors.memory out"
        )


class Resources:
    """The memory that all folders opened with it share: blocks that were read, and what is not written yet."""

    def __init__(self, memory_bytes: int) -> None:
        self.library = _library()
        self.cache = self.library.Cache(memory_bytes)
        buffers_bytes = memory_bytes // 2
        self.buffers = self.library.WriteBufferManager.new_write_buffer_manager_with_cache(
            buffers_bytes, False, self.cache
        )
        self.buffer_bytes = min(MOST_WRITE_BUFFER_BYTES, buffers_bytes)

    def options(self) -> Any:
        """How every folder is opened."""
        library, options, blocks = self.library, self.library.Options(raw_mode=True), self.library.BlockBasedOptions()
        blocks.set_block_cache(self.cache)
        blocks.set_bloom_filter(10, False)
        blocks.set_cache_index_and_filter_blocks(True)
        blocks.set_pin_l0_filter_and_index_blocks_in_cache(True)
        options.set_block_based_table_factory(blocks)
        options.set_write_buffer_manager(self.buffers)
        options.set_write_buffer_size(self.buffer_bytes)
        options.set_arena_block_size(256 * 1024)
        options.set_compression_type(library.DBCompressionType.lz4())
        options.set_level_compaction_dynamic_level_bytes(True)
        options.set_max_open_files(FILES_OPEN)
        options.set_keep_log_file_num(2)
        return options


def _library() -> ModuleType:
    try:
        import rocksdict
    except ImportError as error:
        raise DiskMissingError from error
    return rocksdict


class Disk:
    """An open folder. `place` is how far its copy goes; None: nowhere yet."""

    def __init__(self, path: Path, resources: Resources) -> None:
        library = resources.library
        self.path = path
        self._database = library.Rdict(str(path), options=resources.options())
        self._batch = library.WriteBatch
        self._writing = library.WriteOptions()
        self._writing.disable_wal = True
        self._get = self._database.get
        self.place = self._found_place()

    def _found_place(self) -> Place | None:
        found = self._database.get(MARK_KEY)
        if found is None:
            return None
        place = msgspec.msgpack.decode(found, type=Place)
        if place.form != FORMAT:
            raise msgspec.ValidationError(f"it has form {place.form}, not {FORMAT}")
        return place

    def raw(self, key: bytes) -> bytes | None:
        """What stands under a key, stamp and all. Raises DiskError."""
        try:
            return self._get(key)  # type: ignore[no-any-return]
        except Exception as error:
            raise self._damaged(error) from error

    def get(self, key: bytes) -> bytes | None:
        """The value of a key. Raises DiskError."""
        return value_of(self.raw(key))

    def many(self, keys: list[bytes]) -> list[bytes | None]:
        """The values of keys, in their order. Raises DiskError."""
        try:
            return [value_of(raw) for raw in self._get(keys)]
        except Exception as error:
            raise self._damaged(error) from error

    def items(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The keys that begin so, in order, with their values. Raises DiskError."""
        for key, raw in self._scan(prefix):
            if not key.startswith(prefix):
                return
            value = value_of(raw)
            if value is not None and key != MARK_KEY:
                yield key, value

    def _scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        # Not the library's own generator: that one ends at what is damaged, as if nothing came behind it.
        try:
            place = self._database.iter()
            place.seek(prefix)
            while place.valid():
                yield place.key(), place.value()
                place.next()
            place.status()
        except Exception as error:
            raise self._damaged(error) from error

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], place: Place | None = None) -> None:
        """Put raw values, delete keys (None), and note the place, all or nothing. Raises DiskError."""
        batch = self._batch(raw_mode=True)
        for key, raw in changes:
            if raw is None:
                batch.delete(key)
            else:
                batch.put(key, raw)
        if place is not None:
            batch.put(MARK_KEY, msgspec.msgpack.encode(place))
        try:
            self._database.write(batch, self._writing)
        except Exception as error:
            raise self._damaged(error) from error
        self.place = place or self.place

    def count(self) -> int:
        """About how many keys there are."""
        return int(self._database.property_int_value("rocksdb.estimate-num-keys") or 0)

    def close(self) -> None:
        """Write everything out, and let go of the folder; harmless when repeated."""
        with suppress(Exception):
            self._database.close()

    def _damaged(self, error: Exception) -> Exception:
        if not is_librarys(error):
            return error
        # Noted beside the data, for a damage may show only when the damaged part is read.
        with suppress(OSError):
            (self.path / DAMAGED).touch()
        return DiskError(self.path, str(error))


def value_of(raw: bytes | None) -> bytes | None:
    """The value in what stands under a key."""
    return None if raw is None or raw[:1] == TOMBSTONE else raw[STAMP_BYTES:]


def frame_of(raw: bytes) -> bytes:
    """The stamp in what stands under a key."""
    return raw[1:] if raw[:1] == TOMBSTONE else raw[:STAMP_BYTES]


def opened(path: Path, resources: Resources) -> Disk:
    """The folder, open. One that is damaged or not of our making is thrown away. Raises DiskError, DiskInUseError."""
    if (path / DAMAGED).exists():
        discard(path, "it was found damaged")
    try:
        return _made(path, resources)
    except DiskInUseError:
        raise
    except DiskError as error:
        discard(path, error.reason)
    return _made(path, resources)


def _made(path: Path, resources: Resources) -> Disk:
    try:
        path.mkdir(parents=True, exist_ok=True)
        return Disk(path, resources)
    except Exception as error:
        if not is_librarys(error):
            raise
        kind = DiskInUseError if "/LOCK" in str(error) else DiskError
        raise kind(path, str(error)) from error


def is_librarys(error: Exception) -> bool:
    """Whether the disk is at fault: the library has no class of its own for that."""
    return type(error) is Exception or isinstance(error, OSError | msgspec.MsgspecError)


def discard(path: Path, reason: str) -> None:
    """Throw a folder away; it is a copy."""
    log.warning("a copy of the state is thrown away, and made anew from the changelog", path=str(path), reason=reason)
    shutil.rmtree(path, ignore_errors=True)


def raw_values(changes: Mapping[bytes, bytes | None], frame: bytes) -> Iterator[tuple[bytes, bytes | None]]:
    """What to write for these changes, made at a stamp."""
    for key, value in changes.items():
        yield key, None if value is None else frame + value
