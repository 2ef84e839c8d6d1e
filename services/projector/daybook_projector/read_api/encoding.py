"""Encodes rows of PostgreSQL as JSON. Times have six decimals and end in `Z`, as in the log's entries."""

import base64
import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from typing import Any, Final

import asyncpg
import msgspec
from pydantic import BaseModel, JsonValue

_ENCODE: Final = msgspec.json.Encoder().encode
ETAG_BYTES: Final = 15


def encode_row(model: type[BaseModel], row: asyncpg.Record, leave_out: str | None = None) -> bytes:
    values: dict[str, Any] = dict(row.items())
    if leave_out is not None:
        del values[leave_out]
    for name, convert in _conversions(model):
        if (value := values[name]) is not None:
            values[name] = convert(value)
    return _ENCODE(values)


def encode_page(items: Iterable[bytes], following: str | None) -> bytes:
    return b'{"items":[%b],"next":%b}' % (b",".join(items), _ENCODE(following))


def time_text(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


def etag_of(body: bytes) -> str:
    return f'"{base64.urlsafe_b64encode(hashlib.sha256(body).digest()[:ETAG_BYTES]).decode()}"'


@cache
def _conversions(model: type[BaseModel]) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    found: list[tuple[str, Callable[[Any], Any]]] = []
    for name, field in model.model_fields.items():
        if field.annotation in {datetime, datetime | None}:
            found.append((name, time_text))
        elif field.annotation == JsonValue:
            # asyncpg returns a jsonb value as JSON text, which is copied into the answer.
            found.append((name, lambda text: msgspec.Raw(text.encode())))
    return tuple(found)
