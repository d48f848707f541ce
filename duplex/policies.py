"""A project's own policy functions: loaded from `policies/*.py` beside the file, and tried before they decide."""

import asyncio
import hashlib
import importlib.machinery
import importlib.util
import os
import random
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import msgspec

from duplex import clocks
from schemas.project import findings
from schemas.project.loading import Loaded
from schemas.project.model import Entity, FieldRule, ManualUntil, Project, function_of
from streams.errors import InvalidValueError
from streams.mapping import function_laws
from streams.mapping.functions import MARK, Declared, Functions, PolicyError
from streams.merge.values import Value

FOLDER = "policies"
SEED = 20_240_229
OTHER_INTERPRETER_TIMEOUT_S = 60.0
DIFFERENCE = " with another hash seed, time zone and clock"


@dataclass(frozen=True, slots=True)
class Use:
    """A field that a function decides."""

    entity: str
    field: str
    function: str
    rule: FieldRule
    meanings: tuple[Value, ...]
    path: findings.Path

    def cases(self) -> list[function_laws.Case]:
        """What the function is tried on: the same at every run, so that a counterexample is found again."""
        return function_laws.cases(self.rule, random.Random(SEED), self.meanings)


def uses(project: Project) -> list[Use]:
    """Every field that a function decides, at once or after a deadline."""
    return [use for name, entity in project.entities.items() for use in _uses(name, entity)]


def _uses(name: str, entity: Entity) -> Iterator[Use]:
    for field, rule in entity.fields.items():
        function = function_of(rule.on_conflict)
        if function is not None:
            inner = ("manual", "then") if isinstance(rule.on_conflict, ManualUntil) else ()
            path = ("entities", name, "fields", field, "on_conflict", *inner, "function")
            yield Use(name, field, function, rule, function_laws.meanings(entity, field), path)


def load(folder: Path) -> Functions:
    """Every policy in `policies/*.py` of a project's folder, by name. Raises PolicyError."""
    found: dict[str, Declared] = {}
    for path in sorted((folder / FOLDER).glob("*.py")):
        for declared in _declared(path):
            other = found.setdefault(declared.name, declared)
            if other is not declared:
                reason = f"policy {declared.name} is also declared in {other.file}:{other.line}"
                raise PolicyError(declared.file, declared.line, reason)
    return found


def of_project(project: Project, folder: Path) -> Functions:
    """The functions that a project's fields name, tried. Raises PolicyError.

    A function that is not declared is left out: who compiles the rules says so. Where no field names one, nothing of
    the folder is run.
    """
    wanted = uses(project)
    known = load(folder) if wanted else {}
    for use in wanted:
        declared = known.get(use.function)
        if declared is not None and (told := function_laws.fault(declared, use.rule, use.cases())) is not None:
            raise PolicyError(declared.file, declared.line, told)
    return known


def digests(known: Functions) -> dict[str, str]:
    """The digest of each function's text, by name."""
    return {name: declared.digest for name, declared in known.items()}


class _Fresh(importlib.machinery.SourceFileLoader):
    """Reads a file anew every time: a cached translation could be that of another text."""

    digest = ""

    def get_code(self, fullname: str) -> object:  # type: ignore[override]
        content = self.get_data(self.path)
        self.digest = hashlib.sha256(content).hexdigest()
        return self.source_to_code(content, self.path)


def _declared(path: Path) -> list[Declared]:
    loader = _Fresh(f"duplex_policies.{path.stem}", str(path))
    marks = (getattr(value, MARK, None) for value in vars(_module(path, loader)).values())
    # A policy that one file imports from another belongs to the other.
    own = [mark for mark in marks if isinstance(mark, Declared) and Path(mark.file) == path]
    return [replace(mark, digest=loader.digest) for mark in dict.fromkeys(own)]


def _module(path: Path, loader: _Fresh) -> ModuleType:
    spec = importlib.util.spec_from_file_location(loader.name, path, loader=loader)
    if spec is None:
        raise PolicyError(str(path), 1, "is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[loader.name] = module
    try:
        loader.exec_module(module)
    except PolicyError:
        raise
    except SyntaxError as error:
        raise PolicyError(str(path), error.lineno or 1, error.msg) from error
    except Exception as error:
        raise PolicyError(str(path), _line_in(path, error), f"{type(error).__name__}: {error}") from error
    return module


def _line_in(path: Path, error: BaseException) -> int:
    """The line of a file that an error came through last."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    return next((line for line in reversed(lines) if line), 1)


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of trying a project's functions: what is wrong with them, and what else was seen."""

    known: Functions
    faults: tuple[findings.Finding, ...]
    facts: tuple[str, ...] = ()


async def tried(loaded: Loaded) -> Tried:
    """Try every function that a field names, here and in a second interpreter with other sets, zones and clocks."""
    folder, wanted = loaded.path.parent, uses(loaded.project)
    if not wanted:
        return Tried({}, ())
    try:
        known = load(folder)
    except PolicyError as error:
        return Tried({}, (findings.Finding(error.file, error.line, 1, "", error.reason),))
    missing = [use for use in wanted if use.function not in known]
    faults = [_missing(loaded, use, known) for use in missing]
    there = [use for use in wanted if use not in missing]
    elsewhere = await _elsewhere(folder, there) if there else None
    facts: list[str] = []
    for index, use in enumerate(there):
        told = _fault(known[use.function], use, elsewhere, index)
        if told is not None:
            faults.append(_refused(loaded, use, known[use.function], told))
        else:
            facts += function_laws.facts(known[use.function], use.rule, use.cases()).sentences(
                f"{use.entity}.{use.field}: policy {use.function}"
            )
    return Tried(known, tuple(faults), tuple(facts))


def _missing(loaded: Loaded, use: Use, known: Functions) -> findings.Finding:
    folder = loaded.path.parent / FOLDER
    remedy = findings.nearest(use.function, known) or findings.listing(known) or f"there is none in {folder}"
    message = f"no function {use.function} is declared in {FOLDER}/*.py"
    return loaded.positions.finding(use.path, message, remedy)


def _refused(loaded: Loaded, use: Use, declared: Declared, told: str) -> findings.Finding:
    remedy = "an answer must follow from the three arguments alone"
    place = f"{declared.file}:{declared.line}"
    return loaded.positions.finding(use.path, f"policy {use.function} ({place}) {told}", remedy)


Answers = Sequence[Sequence[str]]


def _fault(declared: Declared, use: Use, elsewhere: "Answers | str | None", index: int) -> str | None:
    """The other interpreter comes first: it has a time limit, and a function that never ends is known by it."""
    if isinstance(elsewhere, str):
        return elsewhere
    cases = use.cases()
    told = function_laws.fault(declared, use.rule, cases)
    if told is not None or elsewhere is None:
        return told
    for case, there in zip(cases, elsewhere[index], strict=True):
        here = _encoded(function_laws.answer(declared, use.rule, case))
        if here != there:
            call = function_laws.told(declared, case)
            return f"is not deterministic: {call} is {here}, and {there} in another process{DIFFERENCE}"
    return None


def _encoded(answer: function_laws.Answer) -> str:
    return answer.raised or msgspec.json.encode(answer.value).decode()


class _Wanted(msgspec.Struct):
    function: str
    rule: str
    meanings: list[object]


async def _elsewhere(folder: Path, wanted: Sequence[Use]) -> Answers | str:
    """The answers of another interpreter, or why there are none."""
    asked = [_Wanted(use.function, use.rule.model_dump_json(), list(use.meanings)) for use in wanted]
    seed = "1" if os.environ.get("PYTHONHASHSEED") == "2" else "2"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": "Pacific/Kiritimati", "PYTHONWARNINGS": "ignore"}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "duplex.policies", str(folder), env=environment, stdin=pipe, stdout=pipe, stderr=pipe
    )
    try:
        talk = process.communicate(msgspec.json.encode(asked))
        out, errors = await asyncio.wait_for(talk, OTHER_INTERPRETER_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"does not end: no answers after {OTHER_INTERPRETER_TIMEOUT_S:g} s"
    if process.returncode:
        lines = errors.decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"]
        return f"cannot be run in another process: {lines[-1]}"
    return msgspec.json.decode(out.rpartition(b"\x00")[2], type=list[list[str]])


def main(folder: str) -> None:
    """The other interpreter: what to try on standard input, the answers on standard output."""
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=list[_Wanted])
    clocks.run_ahead()
    known = load(Path(folder))
    answers = [_answers(known[one.function], one) for one in asked]
    # A function may print; the answers are what follows the last of these marks.
    sys.stdout.flush()
    sys.stdout.buffer.write(b"\x00" + msgspec.json.encode(answers))


def _answers(declared: Declared, asked: _Wanted) -> list[str]:
    rule = FieldRule.model_validate_json(asked.rule)
    values = tuple(asked.meanings)
    found = []
    for case in function_laws.cases(rule, random.Random(SEED), values):  # type: ignore[arg-type]
        try:
            found.append(_encoded(function_laws.answer(declared, rule, case)))
        except InvalidValueError:
            found.append("no value of the field")
    return found


if __name__ == "__main__":
    main(sys.argv[1])
