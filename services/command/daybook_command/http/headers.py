"""The headers of the HTTP door: which ones web apps may use, and request headers as plain values."""

from typing import Final

from msgspec import Struct
from starlette.requests import Request

from daybook_contracts.codes import Code
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.senders.idempotency import id_of_idempotency_key
from daybook_contracts.senders.principals import Principal

# Headers that a web app of another origin may send, and may read in answers.
REQUEST_HEADERS: Final = ("Authorization", "Content-Type", "Idempotency-Key", "Prefer", "traceparent")
ANSWER_HEADERS: Final = ("Location", "Retry-After", "Preference-Applied")

_RESPOND_ASYNC: Final = "respond-async"


class CommandHeaders(Struct, frozen=True, gc=False):
    """The headers that the door looks at, as they were sent. Of a header that was sent twice, the first one counts, but
    `prefer` has all of them.
    """

    content_length: bytes
    authorization: bytes | None
    idempotency_key: bytes | None
    traceparent: bytes | None
    prefer: tuple[bytes, ...]


def read_headers(request: Request) -> CommandHeaders:
    """Reads all headers at once, because Starlette goes through all of them whenever it is asked for one."""
    sent: list[tuple[bytes, bytes]] = request.scope["headers"]
    first = dict(reversed(sent))
    prefer = tuple(value for name, value in sent if name == b"prefer") if b"prefer" in first else ()
    return CommandHeaders(
        first.get(b"content-length", b""),
        first.get(b"authorization"),
        first.get(b"idempotency-key"),
        first.get(b"traceparent"),
        prefer,
    )


def wants_no_wait(headers: CommandHeaders) -> bool:
    """Whether `Prefer` (RFC 7240) contains `respond-async`, in any case."""
    if not headers.prefer:
        return False
    preferences = b",".join(headers.prefer).decode("latin-1").split(",")
    return any(each.partition(";")[0].strip().lower() == _RESPOND_ASYNC for each in preferences)


def idempotent_id(headers: CommandHeaders, principal: Principal) -> str | None:
    """The command id computed from `Idempotency-Key`; None without the header. Raises InvalidCommand."""
    if headers.idempotency_key is None:
        return None
    try:
        return id_of_idempotency_key(principal, headers.idempotency_key.decode())
    except UnicodeDecodeError as error:
        raise InvalidCommand(Code.INVALID_COMMAND, "Idempotency-Key must be UTF-8") from error
