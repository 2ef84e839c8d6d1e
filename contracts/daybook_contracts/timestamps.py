"""`created_at` as text (RFC 3339 in UTC, with six fraction digits and `Z`) and as microseconds since the epoch."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def timestamp(microseconds_since_epoch: int) -> str:
    """Text such as 2026-11-22T15:10:13.123456Z. Raises OverflowError beyond the year 9999."""
    seconds, fraction = divmod(microseconds_since_epoch, 1_000_000)
    return f"{_second(seconds)}.{fraction:06d}Z"


@lru_cache(maxsize=4)  # the entries of a batch fall into one second or two
def _second(seconds_since_epoch: int) -> str:
    moment = _EPOCH + timedelta(seconds=seconds_since_epoch)
    # Not strftime: on some systems it does not pad years to four digits.
    return moment.isoformat().removesuffix("+00:00")


def microseconds(text: str) -> int:
    """The inverse of `timestamp`. Raises ValueError if the text is not an RFC 3339 time with an offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no offset in {text!r}")
    return (moment - _EPOCH) // _MICROSECOND
