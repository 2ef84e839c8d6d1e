"""Logging of a process: events in, JSON lines on stderr out; the standard library's loggers go the same way.
No payload and no secret is ever handed to a logger; this module cannot know what is one.
"""

import logging
import sys

import structlog

from daybook_infra.runtime.settings import Settings

# Libraries that repeat at INFO what our own events say better.
QUIET = ("aiokafka", "faststream", "httpcore", "httpx", "uvicorn.access")
# While Kafka is away its client says so dozens of times a second.
REPEATING = "aiokafka"
REPEAT_SECONDS = 10.0

_SHARED: tuple[structlog.typing.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    # Never with the frames' locals: those hold payloads.
    structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
)

# At import: a process that sets up no logging, such as the command line, prints no events of its libraries to stdout.
structlog.configure(
    processors=[structlog.stdlib.filter_by_level, *_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)


def configure_logging(settings: Settings, *, service: str | None = None) -> None:
    """Once, from a `main`. `service` is named in every line."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_json_formatter())
    handler.addFilter(Sparing(REPEATING))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    if service is not None:
        structlog.contextvars.bind_contextvars(service=service)


class Sparing(logging.Filter):
    """What one place of the named library's code says comes through once in `REPEAT_SECONDS`, with the number of lines
    `left_out` before it. Of other loggers everything does.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._said: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not super().filter(record):
            return True
        place = record.pathname, record.lineno
        said_at, left_out = self._said.get(place, (0.0, 0))
        # A clock that is set back must not silence anybody.
        if 0 <= record.created - said_at < REPEAT_SECONDS:
            self._said[place] = said_at, left_out + 1
            return False
        self._said[place] = record.created, 0
        if left_out:
            record.left_out = left_out
        return True


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    return structlog.stdlib.get_logger(name)


def _json_formatter() -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
