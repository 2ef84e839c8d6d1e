"""Logs a process's events as JSON lines on stderr, including those of the standard library's loggers. Callers must not
log payloads or secrets: this module cannot recognise them.
"""

import logging
import sys

import structlog

from daybook_infra.runtime.settings import Settings

# At INFO, these libraries log what our own events already say better.
QUIET = ("aiokafka", "faststream", "httpcore", "httpx", "uvicorn.access")
# While Kafka is away, its client logs the same lines dozens of times a second.
REPEATING = "aiokafka"
REPEAT_SECONDS = 10.0

_SHARED: tuple[structlog.typing.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    # Tracebacks without local variables, which may hold payloads.
    structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
)

# Set at import, so that a process that configures no logging, such as the command line, prints no library events to
# stdout.
structlog.configure(
    processors=[structlog.stdlib.filter_by_level, *_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)


def configure_logging(settings: Settings, *, service: str | None = None) -> None:
    """Call it once, from a `main`. Every line names the `service`."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_json_formatter())
    handler.addFilter(RepeatFilter(REPEATING))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    if service is not None:
        structlog.contextvars.bind_contextvars(service=service)


class RepeatFilter(logging.Filter):
    """Passes one line per `REPEAT_SECONDS` from each place in the named library's code. The line's field `left_out` is
    the number of lines that were dropped before it. All lines of other loggers pass.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._last: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not super().filter(record):
            return True
        place = record.pathname, record.lineno
        logged_at, left_out = self._last.get(place, (0.0, 0))
        # A clock that is set back must not silence a line.
        if 0 <= record.created - logged_at < REPEAT_SECONDS:
            self._last[place] = logged_at, left_out + 1
            return False
        self._last[place] = record.created, 0
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
