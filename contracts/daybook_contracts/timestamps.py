"""`created_at` as text (RFC 3339 in UTC, with six fraction digits and `Z`) and as microseconds since the epoch."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def timestamp(microseconds_since_epoch: int) -> str:
    """Text such as 2026-11-22T15:10:13.123456Z. Raises OverflowError beyond the year 9999."""
    moment = _EPOCH + timedelta(microseconds=microseconds_since_epoch)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def microseconds(text: str) -> int:
    """The inverse of `timestamp`. Raises ValueError if the text is not an RFC 3339 time with an offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no offset in {text!r}")
    return (moment - _EPOCH) // _MICROSECOND
