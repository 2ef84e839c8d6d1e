"""Server-sent events: entries in, the bytes of a stream out."""

from typing import Final

import asyncpg

from daybook_projector.read_api.encoding import encode_row
from daybook_projector.read_api.models import EntryItem
from daybook_projector.read_api.positions import Position

# A line that starts with a colon is a comment: clients ignore it.
COMMENT: Final = b":\n\n"
COLUMNS: Final = ", ".join(f"t.{name}" for name in EntryItem.model_fields)


def entry_event(partition: int, row: asyncpg.Record) -> bytes:
    """`row` has the columns of the table and `position`. The JSON has no line break."""
    return b"id: %b\ndata: %b\n\n" % (
        str(Position(partition, row["position"])).encode(),
        encode_row(EntryItem, row, leave_out="position"),
    )


def opening(position: Position | None) -> bytes:
    """An event without data. It only sets the id after which the client resumes if it loses the connection before an
    entry comes.
    """
    return COMMENT if position is None else b"id: %b\n\n" % str(position).encode()


def farewell(reason: str) -> bytes:
    return b": %b\n\n" % reason.encode()
