"""The headers of the HTTP door: which ones web apps may use, and request headers as plain values."""

from typing import Final

from starlette.requests import Request

from daybook_contracts.codes import Code
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.senders.idempotency import id_of_idempotency_key
from daybook_contracts.senders.principals import Principal
from daybook_contracts.topics import TRACEPARENT, trace_context

# Headers that a web app of another origin may send, and may read in answers.
REQUEST_HEADERS: Final = ("Authorization", "Content-Type", "Idempotency-Key", "Prefer", "traceparent")
ANSWER_HEADERS: Final = ("Location", "Retry-After", "Preference-Applied")

_RESPOND_ASYNC: Final = "respond-async"


def traceparent(request: Request) -> bytes | None:
    """The W3C trace context; None if absent or malformed."""
    header = request.headers.get(TRACEPARENT)
    return None if header is None else trace_context(header.encode("latin-1"))


def wants_no_wait(request: Request) -> bool:
    """Whether `Prefer` (RFC 7240) contains `respond-async`, in any case."""
    preferences = ",".join(request.headers.getlist("prefer")).split(",")
    return any(each.partition(";")[0].strip().lower() == _RESPOND_ASYNC for each in preferences)


def idempotent_id(request: Request, principal: Principal) -> str | None:
    """The command id computed from `Idempotency-Key`; None without the header. Raises InvalidCommand."""
    header = request.headers.get("idempotency-key")
    if header is None:
        return None
    try:
        # Starlette decodes all headers as Latin-1.
        return id_of_idempotency_key(principal, header.encode("latin-1").decode())
    except UnicodeDecodeError as error:
        raise InvalidCommand(Code.INVALID_COMMAND, "Idempotency-Key must be UTF-8") from error
