"""Users' own processors: found in the project's folder, and hosted like ours."""

import asyncio
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import structlog

from streams.errors import StreamsError
from streams.processors import records
from streams.processors.records import Decided, Record, Rejected
from streams.processors.stores import Store
from streams.processors.user import MARK, PIPELINE, Declared, Output, UserCodeError

log = structlog.get_logger(__name__)
FOLDER = "processors"
BACKOFF_SECONDS = 0.2


def load(project_folder: Path, pipeline: str) -> list["UserProcessor"]:
    """Every processor in `processors/*.py` of a project's folder, in the order of their names. Raises UserCodeError."""
    found: dict[str, Declared] = {}
    for path in sorted((project_folder / FOLDER).glob("*.py")):
        for declared in _declared(path):
            other = found.setdefault(declared.name, declared)
            if other is not declared:
                reason = f"processor {declared.name} is also declared in {other.file}:{other.line}"
                raise UserCodeError(declared.file, declared.line, reason)
    return [UserProcessor(found[name], pipeline) for name in sorted(found)]


def _declared(path: Path) -> list[Declared]:
    marks = (getattr(value, MARK, None) for value in vars(_module(path)).values())
    # A processor that one file imports from another belongs to the other.
    return [mark for mark in marks if isinstance(mark, Declared) and Path(mark.file) == path]


def _module(path: Path) -> ModuleType:
    name = f"duplex_user_processors.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserCodeError(str(path), 1, "is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except UserCodeError:
        raise
    except SyntaxError as error:
        raise UserCodeError(str(path), error.lineno or 1, error.msg) from error
    except Exception as error:
        raise UserCodeError(str(path), line_in(path, error), f"{type(error).__name__}: {error}") from error
    return module


def line_in(path: Path, error: BaseException) -> int:
    """The line of a file that an error came through last."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    return next((line for line in reversed(lines) if line), 1)


class UserProcessor:
    """A declared function as a batch processor without state."""

    def __init__(self, declared: Declared, pipeline: str) -> None:
        self.name = f"user.{declared.name}"
        self.inputs = (declared.input.replace(PIPELINE, pipeline),)
        self.outputs: tuple[str, ...] = ()
        self._output = None if declared.output is None else declared.output.replace(PIPELINE, pipeline)
        self.free_outputs = () if self._output is None else (self._output,)
        self.state_topic: str | None = None
        self._pipeline = pipeline
        self._declared = declared

    async def apply(self, batch: Sequence[Record], store: Store) -> list[Decided]:
        """Call the function; take the batch apart if it keeps failing."""
        for attempt in range(self._declared.attempts):
            try:
                return await self._call(batch)
            except Exception as error:  # noqa: BLE001 - a user's function may raise anything
                log.warning("user processor failed", processor=self.name, error=self._sentence(error), attempt=attempt)
                await asyncio.sleep(BACKOFF_SECONDS * 2**attempt)
        return await self._apart(batch)

    async def _apart(self, batch: Sequence[Record]) -> list[Decided]:
        """Halve a failing batch until the records that fail stand alone."""
        if not batch:
            return []
        try:
            return await self._call(batch)
        except Exception as error:  # noqa: BLE001 - a user's function may raise anything
            if len(batch) == 1:
                return [Rejected(batch[0], type(error).__name__, self._sentence(error), "user")]
        middle = len(batch) // 2
        return [*await self._apart(batch[:middle]), *await self._apart(batch[middle:])]

    async def _call(self, batch: Sequence[Record]) -> list[Decided]:
        async with asyncio.timeout(self._declared.timeout_s):
            outputs = list(await self._declared.function(list(batch)))
        # With one record in the batch it is plain which one an output comes from.
        cause = batch[0] if len(batch) == 1 else None
        return [self._sent(output, cause) for output in outputs]

    def _sent(self, output: object, cause: Record | None) -> records.Output:
        if not isinstance(output, Output):
            raise UserResultError(f"returned {output!r}, where an Output belongs")
        topic = self._output if output.topic is None else output.topic.replace(PIPELINE, self._pipeline)
        if topic is None:
            raise UserResultError("returned an Output without a topic, and the decorator names none")
        return records.Output(topic, output.key, output.value, headers=tuple(output.headers), cause=cause)

    def _sentence(self, error: Exception) -> str:
        line = line_in(Path(self._declared.file), error)
        place = f"{self._declared.file}:{line if line > 1 else self._declared.line}"
        return f"{place}: {type(error).__name__}: {error}"


class UserResultError(StreamsError):
    """What a user's function returned is not what it must return."""
