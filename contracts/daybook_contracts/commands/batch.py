"""A batch's body in, its commands out, each refused in its place; the body is refused whole only as a body."""

import re
from collections.abc import Iterator

import msgspec

from daybook_contracts.codes import Code
from daybook_contracts.commands.invalid import InvalidCommand
from daybook_contracts.commands.parse import MakeId, parse_command
from daybook_contracts.commands.registry import Command
from daybook_contracts.limits import BATCH_BYTES, BATCH_ITEMS

_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
# A string that never closes takes all the rest: so the scan is linear, and nothing inside is mistaken for an item.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{},]', re.DOTALL)


def parse_batch(raw: bytes, *, default_id: MakeId | None = None) -> list[Command | InvalidCommand]:
    """One command or one refusal per item, in order; raises InvalidCommand for a body that is no batch."""
    if len(raw) > BATCH_BYTES:
        detail = f"a batch must be at most {BATCH_BYTES // 1024 // 1024} MiB"
        raise InvalidCommand(Code.INVALID_COMMAND, detail, too_large=True)
    items = _split(raw)
    if not 1 <= len(items) <= BATCH_ITEMS:
        raise InvalidCommand(Code.INVALID_COMMAND, f"a batch holds 1 to {BATCH_ITEMS} commands")
    return [_parsed(item, default_id) for item in items]


def _parsed(item: bytes, default_id: MakeId | None) -> Command | InvalidCommand:
    try:
        return parse_command(item, default_id=default_id)
    except InvalidCommand as refusal:
        return refusal


def _split(raw: bytes) -> list[bytes]:
    """The items' own bytes, so that each is judged as if it had come alone."""
    try:
        return [bytes(item) for item in _ITEMS.decode(raw)]
    except (msgspec.DecodeError, RecursionError):
        # One item may be no JSON (NaN), or nested too deep: it must not take the others with it.
        return list(_split_by_brackets(raw.strip(b" \t\r\n")))


def _split_by_brackets(body: bytes) -> Iterator[bytes]:
    depth, start, end = 0, 1, 0
    for token in _TOKEN.finditer(body):
        match token.group():
            case b"[" | b"{":
                depth += 1
            case b"]" | b"}":
                depth -= 1
                end = token.end() if depth == 0 else end
            case b"," if depth == 1:
                yield _item(body, start, token.start())
                start = token.end()
        if depth == 0:
            break
    if not body.startswith(b"[") or not body.endswith(b"]") or end != len(body):
        raise InvalidCommand(Code.INVALID_COMMAND, "a batch is a JSON array of commands")
    yield _item(body, start, end - 1)


def _item(body: bytes, start: int, end: int) -> bytes:
    item = body[start:end].strip(b" \t\r\n")
    if not item:
        raise InvalidCommand(Code.INVALID_COMMAND, "a batch is a JSON array of commands")
    return item
