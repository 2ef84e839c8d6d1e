"""Encodes entries as server-sent events."""

from typing import Final

import asyncpg

from daybook_projector.read_api.encoding import encode_row
from daybook_projector.read_api.models import EntryItem
from daybook_projector.read_api.positions import Position

# A line that starts with a colon is a comment: clients ignore it.
COMMENT: Final = b":\n\n"
COLUMNS: Final = ", ".join(f"t.{name}" for name in EntryItem.model_fields)


def entry_event(partition: int, row: asyncpg.Record) -> bytes:
    """`row` has the columns of `audit_log` and `position`. Its JSON has no line break, which would end the data."""
    return b"id: %b\ndata: %b\n\n" % (
        str(Position(partition, row["position"])).encode(),
        encode_row(EntryItem, row, leave_out="position"),
    )


def opening(position: Position | None) -> bytes:
    """An event without data, which only sets the last event id. So a client that loses the connection before the first
    entry resumes at this position.
    """
    return COMMENT if position is None else b"id: %b\n\n" % str(position).encode()


def farewell(reason: str) -> bytes:
    return b": %b\n\n" % reason.encode()
