"""Structured logs: static event names with ids as fields, one JSON object a line, UTC. Never personal data."""

import logging
import sys
from collections.abc import Iterator
from traceback import extract_tb
from typing import Literal

import asyncpg
import structlog

from services.errors import HuifangError

_NOISY = {
    "aiokafka": logging.CRITICAL,  # while a broker is gone it logs an ERROR for every try; metrics count instead
    "aiokafka.conn": logging.CRITICAL,
    "uvicorn.access": logging.WARNING,
    "uvicorn.error": logging.WARNING,
    "httpx": logging.WARNING,
    "mail.log": logging.WARNING,
}


_QUOTES_NOTHING = (
    HuifangError,
    OSError,
    ImportError,
    AttributeError,
    NameError,
    TypeError,
    AssertionError,
    RecursionError,
    asyncpg.SyntaxOrAccessError,
)
"""Errors whose text speaks of the code or the machine. The text of all others may quote what somebody entered."""


def configure(level: str = "INFO", form: Literal["json", "console"] = "json") -> None:
    """Sends the house's and the libraries' logs to standard error in one shape."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _tell_error,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, floor in _NOISY.items():
        logging.getLogger(name).setLevel(floor)


def _tell_error(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    raised = event.pop("exc_info", None)
    error = raised[1] if isinstance(raised, tuple) else sys.exc_info()[1] if raised is True else raised
    if isinstance(error, BaseException):
        event["exception"] = "\n".join(_lines(error))
    return event


def _lines(error: BaseException) -> Iterator[str]:
    """The way to an error, without variables, and without its text where that may be personal; its causes first."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _lines(cause)
    for frame in extract_tb(error.__traceback__):
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"
    text = f": {error}" if isinstance(error, _QUOTES_NOTHING) else ""
    yield f"{type(error).__module__}.{type(error).__qualname__}{text}".removeprefix("builtins.")
