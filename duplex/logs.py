"""Log lines: for people on a terminal, or JSON for machines. Always on standard error; data alone goes to stdout."""

import logging
import sys
import warnings
from typing import Literal, cast

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor

Format = Literal["console", "json"]
# Libraries that say in many lines what our own errors say in one.
TALKATIVE = ("aiokafka", "kafka", "faust", "mode", "asyncio", "aiohttp")
# What they may say in a running pipeline. A coordinator is looked for again and again at every start, and Faust's
# services announce themselves under our modules' names; what matters of either is logged by our own code.
LEAST_LEVELS = dict.fromkeys((*TALKATIVE, "streams"), logging.WARNING) | {
    "aiokafka.consumer.group_coordinator": logging.CRITICAL
}


def configure(form: Format, level: str, process: str | None = None) -> None:
    """Set up logging for this process; `process` is its name in every JSON line."""
    minimum = cast(int, logging.getLevelName(level.upper()))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_rendering(form, process),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(minimum),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    _configure_standard(form, minimum, process)


def quiet() -> None:
    """Keep libraries' log lines and warnings off the terminal of a command that speaks for itself."""
    warnings.simplefilter("ignore")
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )


def _rendering(form: Format, process: str | None) -> list[Processor]:
    if form == "console":
        return [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    return [
        _named(process),
        # Without local variables: they hold addresses with passwords.
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
        structlog.processors.JSONRenderer(sort_keys=False),
    ]


def _named(process: str | None) -> Processor:
    def add(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if process is not None:
            event.setdefault("process", process)
        return event

    return add


def _configure_standard(form: Format, minimum: int, process: str | None) -> None:
    """Route the standard library's logging, which our dependencies use, through the same rendering."""
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(form, process)],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(minimum)
    for name, least in LEAST_LEVELS.items():
        logging.getLogger(name).setLevel(max(minimum, least) if minimum > logging.DEBUG else minimum)
