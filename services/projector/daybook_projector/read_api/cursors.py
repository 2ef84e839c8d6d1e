"""Cursors of pages: opaque text that says where the next page starts.

A cursor has the values of the sort columns in the last row of a page, and a hash of the path and the filters. It needs
no signature: a forged cursor only starts the page at another row, and row-level security still hides the same rows.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from daybook_projector.read_api.parameters import parse_time, parse_uuid
from daybook_projector.read_api.resource import Kind

Values = tuple[str | datetime, ...]
DIGEST_BYTES: Final = 9


class InvalidCursor(Exception):
    """The text is not a cursor of this collection with the same filters."""


def filter_hash(path: str, ids: Mapping[str, str], filters: Mapping[str, Any]) -> str:
    """Identifies a walk over a collection: a hash of the path, the ids in the path, and the filters. `limit` is left
    out, so a caller may change it from page to page.
    """
    asked = [path, sorted(ids.items()), sorted((name, str(value)) for name, value in filters.items())]
    return base64.urlsafe_b64encode(hashlib.sha256(msgspec.json.encode(asked)).digest()[:DIGEST_BYTES]).decode()


def encode_cursor(walk: str, values: Values) -> str:
    texts = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(msgspec.json.encode([walk, *texts])).decode().rstrip("=")


def decode_cursor(text: str, walk: str, kinds: Sequence[Kind]) -> Values:
    """Raises InvalidCursor."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        found_walk, *values = msgspec.json.decode(raw, type=list[str])
        if found_walk == walk and len(values) == len(kinds):
            return tuple(_parse(value, kind) for value, kind in zip(values, kinds, strict=True))
    except (binascii.Error, msgspec.MsgspecError, ValueError):
        pass
    raise InvalidCursor


def _parse(text: str, kind: Kind) -> str | datetime:
    return parse_uuid(text) if kind == "uuid" else parse_time(text)
