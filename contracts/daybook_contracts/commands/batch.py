"""Parses a batch's body into commands and refusals, in order. The whole body is refused only if it is not a batch.

The work is split into steps, so that an event loop can run other tasks in between.
"""

import re
from collections.abc import Generator
from typing import Final, TypeVar

from daybook_contracts.codes import Code
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.commands.parse import MakeId, parse_command
from daybook_contracts.commands.registry import Command
from daybook_contracts.json.counts import counting_values, windows
from daybook_contracts.limits import BATCH_BYTES, BATCH_ITEMS, BATCH_VALUES

T = TypeVar("T")
Steps = Generator[None, None, T]
"""Work that pauses every few milliseconds, and returns its result at the end."""

_WHITE_SPACE: Final = b" \t\r\n"
# Each matches up to the next mark outside strings: a bracket, or for _TO_MARK also a comma. All quantifiers are
# possessive.
_TO_MARK: Final = re.compile(rb'[^"\[\]{},]*+(?:"[^"]*+"[^"\[\]{},]*+)*+([\[\]{},])')
_TO_BRACKET: Final = re.compile(rb'[^"\[\]{}]*+(?:"[^"]*+"[^"\[\]{}]*+)*+([\[\]{}])')
_MARKS_PER_STEP: Final = 4096


def parse_batch(raw: bytes, *, default_id: MakeId | None = None) -> list[Command | InvalidCommand]:
    """One command or one refusal per item, in order. Raises InvalidCommand if the body is not a batch."""
    return [parse_item(item, default_id=default_id) for item in run_steps(split_batch(raw))]


def parse_item(item: bytes, *, default_id: MakeId | None = None, check_size: bool = True) -> Command | InvalidCommand:
    """The command or the refusal of an item, as if the item had been sent alone."""
    try:
        return parse_command(item, default_id=default_id, check_size=check_size)
    except InvalidCommand as refusal:
        return refusal


def split_batch(raw: bytes) -> Steps[list[bytes]]:
    """The bytes of each item, in time linear in the body's length. Raises InvalidCommand if the body is not a batch.

    Items are not parsed, so one that is invalid JSON (NaN) or nested too deeply does not affect the others.
    """
    if len(raw) > BATCH_BYTES:
        detail = f"a batch must be at most {BATCH_BYTES // 1024 // 1024} MiB"
        raise InvalidCommand(Code.INVALID_COMMAND, detail, too_large=True)
    body = raw.strip(_WHITE_SPACE)
    if not (len(body) >= 2 and body.startswith(b"[") and body.endswith(b"]")):
        raise _not_an_array()
    if not body[1:-1].strip(_WHITE_SPACE):
        raise _wrong_item_count()
    for count in counting_values(body, BATCH_VALUES):
        if count > BATCH_VALUES:
            raise InvalidCommand(Code.INVALID_COMMAND, f"a batch holds at most {BATCH_VALUES:,} JSON values")
        yield
    text = []
    for window in windows(body):
        text.append(window)
        yield
    ends = yield from _item_ends(b"".join(text))
    starts = [1, *(end + 1 for end in ends[:-1])]
    return [_item_bytes(body, start, end) for start, end in zip(starts, ends, strict=True)]


def run_steps(steps: Steps[T]) -> T:
    """Runs all steps without a pause and returns their result."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result


def _item_ends(text: bytes) -> Steps[list[int]]:
    """The index at which each item ends. No string in `text` contains a quote: `windows` has replaced escaped ones."""
    depth, at, ends, marks = 1, 1, list[int](), 0
    while depth:
        found = (_TO_MARK if depth == 1 else _TO_BRACKET).match(text, at)
        if found is None:
            raise _not_an_array()
        at = found.end()
        mark = text[at - 1]
        if mark in b"[{":
            depth += 1
        elif mark in b"]}":
            depth -= 1
        else:
            ends.append(at - 1)
            if len(ends) >= BATCH_ITEMS:
                raise _wrong_item_count()
        marks += 1
        if marks % _MARKS_PER_STEP == 0:
            yield
    if at != len(text):
        raise _not_an_array()
    return [*ends, at - 1]


def _item_bytes(body: bytes, start: int, end: int) -> bytes:
    item = body[start:end].strip(_WHITE_SPACE)
    if not item:
        raise _not_an_array()
    return item


def _not_an_array() -> InvalidCommand:
    return InvalidCommand(Code.INVALID_COMMAND, "a batch is a JSON array of commands")


def _wrong_item_count() -> InvalidCommand:
    return InvalidCommand(Code.INVALID_COMMAND, f"a batch holds 1 to {BATCH_ITEMS} commands")
