"""Generates the table of limits in docs/security.md from the code's constants and settings."""

import inspect
from typing import Final

from daybook_command.engine import assignment
from daybook_command.http import body_budget, command_sender, time_slices
from daybook_command.postgres import outcomes
from daybook_contracts import limits
from daybook_infra.runtime.http import auth, byte_budget, rate, token_keys
from daybook_infra.runtime.http import limits as http
from daybook_infra.runtime.kafka import decompression, fair_fetching
from daybook_infra.runtime.postgres import connections as postgres
from daybook_infra.runtime.settings import Settings, env_name
from daybook_projector.read_api import answers, database, page_sql, parameters
from daybook_projector.read_api.stream import hub, open_stream

FIXED: Final = "fixed"
OF_HTTP: Final = http.HttpLimits()
DESCRIPTORS: Final = http.RESERVED_DESCRIPTORS + http.BACKLOG
ADMIN_DESCRIPTORS: Final = DESCRIPTORS + http.ADMIN_CONNECTIONS + http.BACKLOG

Row = tuple[str, str] | tuple[str, str, str]
"""What is limited, the limit, and the setting that changes the limit, if there is one."""


def limits_table() -> str:
    """The Markdown table of all limits, exactly as the page must have it."""
    rows = [*_connections(), *_commands(), *_door(), *_tokens(), *_records(), *_reading(), *_orgs()]
    head = ["| what | limit | setting |", "|---|---|---|"]
    return "\n".join([*head, *(f"| {' | '.join((*row, FIXED)[:3])} |" for row in rows)])


def _connections() -> list[Row]:
    return [
        ("request line and headers", f"{_size(OF_HTTP.head_bytes)}, {OF_HTTP.head_lines} lines"),
        ("query parameters of a request", f"{http.PARAMETERS}"),
        ("time to receive request line and headers", _seconds(OF_HTTP.head_seconds)),
        (
            "time to receive a body: of a command or a batch; of any other request",
            f"{_seconds(body_budget.READ_SECONDS)}; {_seconds(OF_HTTP.body_seconds)}",
        ),
        ("chunk framing and trailers of a body", f"the body's size, plus {_size(OF_HTTP.head_bytes)}"),
        ("an idle connection", _seconds(OF_HTTP.idle_seconds)),
        (
            f"time to read an answer, or the next {_size(answers.PIECE_BYTES)} of a page; to read a whole page",
            f"{_seconds(OF_HTTP.answer_seconds)}; {_seconds(answers.WRITE_SECONDS)}",
        ),
        (
            "a body sent after its request was refused",
            f"{_seconds(OF_HTTP.discard_seconds)}, {_size(OF_HTTP.discard_bytes)}",
        ),
        ("pipelined requests", f"{OF_HTTP.pipelined}"),
        ("connections, per instance", f"{http.CONNECTIONS:,}", _names("max_connections")),
        ("file descriptors that are not connections", f"{DESCRIPTORS}; {ADMIN_DESCRIPTORS} with an admin port"),
        ("connections to the admin port", f"{http.ADMIN_CONNECTIONS}"),
    ]


def _commands() -> list[Row]:
    return [
        ("a command", f"{_size(limits.ENVELOPE_BYTES)}, {limits.ENVELOPE_VALUES:,} JSON values"),
        (
            "a batch",
            f"{_size(limits.BATCH_BYTES)}, {limits.BATCH_ITEMS:,} commands, {limits.BATCH_VALUES:,} JSON values",
        ),
        ("JSON nesting", f"{limits.DEPTH}"),
        ("a dead letter's `payload`; a run's `stats`", _size(limits.PAYLOAD_BYTES)),
        ("a name; a free text", f"{limits.NAME_LENGTH}; {limits.TEXT_LENGTH:,} characters"),
        ("dead letters per bulk command", f"{limits.BULK_IDS:,}"),
    ]


def _door() -> list[Row]:
    held = (
        f"{_size(body_budget.MAX_BYTES)}; {_size(body_budget.MAX_BYTES // byte_budget.SHARES)} of one user or service"
    )
    connections = inspect.signature(postgres.open_pool).parameters["max_size"].default
    return [
        ("rate-limit tokens per user and instance", f"{_default('rate')} a second", _names("rate")),
        ("rate-limit tokens that a user can save up", _default("burst"), _names("burst")),
        ("request body per rate-limit token", _size(rate.BYTES_PER_TOKEN)),
        ("users that the rate limiter tracks, per instance", f"{rate.MAX_BUCKETS:,}"),
        ("requests in progress, per instance", held),
        ("commands waiting for their outcome, per instance", f"{command_sender.MAX_WAITING:,}"),
        ("time a request waits for its outcome", f"{_default('wait_seconds')} s", _names("wait_seconds")),
        ("work on one request before others get a turn", f"{time_slices.SLICE_SECONDS * 1000:g} ms"),
        (
            "look-ups of outcomes, per instance",
            f"{connections} PostgreSQL connections, {_seconds(outcomes.MAX_LOOKUP_SECONDS)}",
        ),
    ]


def _tokens() -> list[Row]:
    return [
        ("leeway of `exp` and `nbf`", _seconds(auth.LEEWAY_SECONDS)),
        ("a JWT", _size(auth.MAX_TOKEN_LENGTH)),
        ("a verified JWT is cached for", f"{auth.TRUST_SECONDS / 60:g} min"),
        ("fetched keys are cached for", f"{token_keys.FRESH_SECONDS / 60:g} min"),
        ("fetched keys are trusted, while their URL is unreachable, for", f"{token_keys.TRUSTED_SECONDS / 3600:g} h"),
    ]


def _records() -> list[Row]:
    waiting = f"{assignment.MAX_QUEUED:,}, or {_size(assignment.MAX_QUEUED_BYTES)}"
    return [
        ("a Kafka record batch, unpacked", _size(decompression.MAX_DECOMPRESSED_BYTES)),
        ("data unpacked per poll", f"{_size(fair_fetching.PORTION_BYTES)}; the last batch may exceed this"),
        ("a record's value in a dead letter", _size(limits.ENVELOPE_BYTES)),
        ("headers of a Kafka record", f"{limits.RECORD_HEADERS}"),
        ("a record's key, and each of its headers, in a dead letter", _size(limits.DEAD_LETTER_BYTES)),
        ("a correlation id that is returned", _size(limits.CORRELATION_ID_BYTES)),
        ("commands queued in memory, per partition", waiting),
        (
            "unprojected entries in memory, and [their orgs](operations.md#the-projector-is-away-or-slow), per process",
            f"{_default('max_tail_mib')} MiB",
            _names("max_tail_mib"),
        ),
        ("fully projected orgs in memory, per process", f"{_default('cache_mib')} MiB", _names("cache_mib")),
    ]


def _reading() -> list[Row]:
    return [
        ("a page of the read API", f"{parameters.MAX_LIMIT} items, {_size(database.MAX_PAGE_BYTES)}"),
        (
            f"answers of more than {_size(answers.PIECE_BYTES)} that are not read yet, per instance",
            f"{_size(answers.MAX_BYTES)}; {_size(answers.MAX_BYTES // byte_budget.SHARES)} of one user or service",
        ),
        ("rows scanned for one page whose filter has no index", f"{page_sql.SCANNED_ROWS:,}"),
        (
            "look-ups of the read API, per instance",
            f"{database.CONNECTIONS} PostgreSQL connections, {_seconds(database.STATEMENT_SECONDS)}",
        ),
        (
            "PostgreSQL connections of one caller; time a request waits for one",
            f"{database.CALLER_CONNECTIONS}; {_seconds(database.ACQUIRE_SECONDS)}",
        ),
        ("open streams, per instance; of one user", f"{hub.MAX_STREAMS:,}; {hub.MAX_STREAMS_OF_ONE}"),
        (
            "data buffered for the client of a stream",
            f"{_size(open_stream.MAX_QUEUED_BYTES)}, {open_stream.MAX_QUEUED_EVENTS:,} entries",
        ),
    ]


def _orgs() -> list[Row]:
    return [
        ("members of an org", f"{limits.ORG_MEMBERS:,}"),
        ("projects of an org", f"{limits.ORG_PROJECTS:,}"),
        ("connections of an org", f"{limits.ORG_CONNECTIONS:,}"),
        ("secret references of an org", f"{limits.ORG_SECRET_REFS:,}"),
        ("duration of a sync", f"{_default('sync_max_seconds')} s", _names("sync_max_seconds")),
    ]


def _names(field: str) -> str:
    return f"`{env_name(field)}`"


def _default(field: str) -> str:
    return f"{Settings.model_fields[field].default:,g}"


def _size(size: int) -> str:
    return f"{size // http.MIB} MiB" if size % http.MIB == 0 else f"{size // http.KIB} KiB"


def _seconds(seconds: float) -> str:
    return f"{seconds:g} s"
