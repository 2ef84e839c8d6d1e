"""Interprets the answers of Daybook to commands: a command and its answer in, a verdict out. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from daybook_client.attempts import Again, Verdict
from daybook_client.command import Command
from daybook_client.outcomes import Accepted, Rejected, Visible
from daybook_contracts.codes import TOO_LARGE_STATUS, Code
from daybook_contracts.results import EntryRef

SINGLE: Final = "/v1/commands"
BATCH: Final = "/v1/commands:batch"


# Answers after which the command is sent again: its outcome is not known, or Daybook asked for a pause. NOT_FOUND means
# that there is no command API at this address, for example while a proxy is reconfigured. It never means that something
# in the command does not exist: for that there are other codes, such as ORG_NOT_FOUND, and they are rejections.
_AGAIN: Final = frozenset({Code.UNAVAILABLE, Code.TOO_MANY_REQUESTS, Code.NOT_FOUND})
_UNAUTHENTICATED: Final = 401


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response. The names in `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Body(msgspec.Struct):
    """The body of an acceptance, a problem or a pending answer. Members that a newer Daybook adds are ignored."""

    status: int | None = None
    result: str | None = None
    command_id: str | None = None
    entries: tuple[EntryRef, ...] = ()
    position: str | None = None
    code: str | None = None
    detail: str = ""
    entry_id: str | None = None


_BODY = msgspec.json.Decoder(_Body)
_BODIES = msgspec.json.Decoder(list[_Body])


def outcome_path(command: Command) -> str:
    return f"/v1/orgs/{command.key}/commands/{command.id.lower()}"


def verdict(command: Command, answer: Answer, visible: Visible | None) -> Verdict:
    """What the answer to a single command says about it."""
    return _verdict(command, _read(answer.body), answer.status, visible, retry_after(answer.headers))


def batch_verdicts(commands: Sequence[Command], answer: Answer, visible: Visible | None) -> list[Verdict] | None:
    """What the answer to a batch says about each command. None if smaller batches may be accepted, or the commands may
    have different outcomes if each is sent alone.
    """
    after = retry_after(answer.headers)
    if answer.status == TOO_LARGE_STATUS:  # from Daybook, or from a proxy with a limit of its own
        return None
    if answer.status != 200:
        whole = verdict(commands[0], answer, None)
        if not isinstance(whole, Rejected):
            reason = whole if isinstance(whole, Again) else _unreadable(answer.status)
            return [reason for _ in commands]
        # Daybook refuses a sender before it reads the commands, so this refusal applies to each of them.
        return [replace(whole, command=each) for each in commands] if whole.code == Code.FORBIDDEN else None
    try:
        bodies = _BODIES.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        bodies = []
    if len(bodies) != len(commands):
        return [_unreadable(answer.status) for _ in commands]
    return [
        _verdict(command, body, body.status or 0, visible, after)
        for command, body in zip(commands, bodies, strict=True)
    ]


def record_verdict(command: Command, value: bytes, visible: Visible | None) -> Verdict:
    """What the value of a results record says about the command."""
    body = _read(value)
    return _verdict(command, body, body.status or 0, visible, None)


def refusal(answer: Answer) -> str | None:
    """Why Daybook refused the token; None if it did not."""
    if answer.status != _UNAUTHENTICATED:
        return None
    return f"Daybook refuses the token: {_read(answer.body).detail or 'no reason given'}"


def detail(answer: Answer) -> str:
    """The `detail` of a problem; empty if the body is not a problem."""
    return _read(answer.body).detail


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait, from either form of the header Retry-After (RFC 9110, section 10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - (now or datetime.now(UTC))).total_seconds())


def _read(body: bytes) -> _Body:
    """The parsed body; an empty `_Body` if it is truncated or did not come from Daybook."""
    try:
        return _BODY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Body()


def _verdict(command: Command, body: _Body, status: int, visible: Visible | None, after: float | None) -> Verdict:
    if body.command_id is not None and body.command_id != command.id.lower():
        return Again("the answer is about another command")
    if status == 200 and body.result == "success" and body.position is not None and body.command_id is not None:
        return Accepted(command, body.position, body.entries, visible)
    if status == 202:
        return Again("not decided yet", after)
    if body.code is None:
        return _unreadable(status, after)
    if body.code in _AGAIN:
        return Again(f"{body.code}: {body.detail}", after)
    known = body.code in Code.__members__
    code = Code(body.code) if known else body.code
    return Rejected(command, code, body.detail, status, body.position, body.entry_id)


def _unreadable(status: int, after: float | None = None) -> Again:
    return Again(f"the answer (HTTP {status}) is not Daybook's", after)
