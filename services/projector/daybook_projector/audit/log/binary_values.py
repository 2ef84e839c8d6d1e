"""PostgreSQL's binary values as the JSON values of a row (docs/verify.md): a column's bytes in, text out."""

from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Final

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECONDS: Final = Struct(">q")
_INFINITIES: Final = {2**63 - 1: "infinity", -(2**63): "-infinity"}


class OddTime(ValueError):
    """A time outside the years 1 to 9999."""


def uuid_text(value: bytes) -> str:
    digits = value.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def time_text(value: bytes) -> str:
    """A timestamptz: RFC 3339 in UTC with six fraction digits and `Z`, or an infinity. Raises `OddTime`."""
    (microseconds,) = _MICROSECONDS.unpack(value)
    if microseconds in _INFINITIES:
        return _INFINITIES[microseconds]
    try:
        moment = _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError as error:
        raise OddTime("a time outside the years 1 to 9999") from error
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def jsonb_text(value: bytes) -> str:
    """Without the version byte that PostgreSQL sends first."""
    return value[1:].decode()
