"""Cursors of pages: where the next page starts, as opaque text.

A cursor is not signed. It holds nothing but values of the order's columns, which the caller has seen or could guess,
and a hash of the filters. A made-up cursor starts a page somewhere else, under the same policies.
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
    """The text is not a cursor of this collection with these filters."""


def filter_hash(path: str, ids: Mapping[str, str], filters: Mapping[str, Any]) -> str:
    """Identifies a walk: the collection, the ids of its path and the filters. A page's `limit` may change."""
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
