"""Parses the moment of a replay: the words of a command line in, a time and positions out. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from daybook_contracts.timestamps import microseconds
from daybook_infra.runtime.errors import DaybookError

_POSITION: Final = re.compile(r"(\d{1,9})\.(\d{1,18})", re.ASCII)
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(\.\d+)? ?(Z|UTC|[+-]\d\d:?\d\d)?", re.ASCII | re.IGNORECASE
)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MICROSECOND_DIGITS: Final = 7
"""The dot and six digits."""


class MalformedMoment(DaybookError):
    """The text is neither a time nor a position. The message says what to write."""


@dataclass(frozen=True, slots=True)
class AsOf:
    """`time`, in microseconds since 1970, ends the partitions without a position. If it is None, they end at the time
    of the latest of the entries at the given positions.
    """

    time: int | None
    positions: Mapping[int, int] = field(default_factory=dict)


def read_as_of(words: Sequence[str], partitions: int) -> AsOf:
    """Reads at most one time, and at most one position for each partition. Raises `MalformedMoment`."""
    times: list[int] = []
    positions: dict[int, int] = {}
    for word in words:
        found = _POSITION.fullmatch(word.strip())
        if found is None:
            times.append(read_time(word))
            continue
        partition, position = int(found[1]), int(found[2])
        if partition >= partitions:
            raise MalformedMoment(f"{word}: there are only partitions 0 to {partitions - 1}")
        if partition in positions:
            raise MalformedMoment(f"{word}: partition {partition} has a position already, {positions[partition]}")
        positions[partition] = position
    if len(times) > 1:
        raise MalformedMoment("give one time only; you may add positions of several partitions")
    return AsOf(times[0] if times else None, positions)


def read_time(word: str) -> int:
    """Reads an RFC 3339 time. Also accepts a space for the T, lower-case letters, a time without seconds, `UTC` for Z,
    and an offset without a colon. Digits beyond microseconds are cut off. Raises `MalformedMoment`.
    """
    text = word.strip()
    found = _TIME.fullmatch(text)
    if found is None:
        if _DATE.fullmatch(text):
            raise MalformedMoment(f"{text} is a whole day: add the time of day, as in {text}T23:59:59.999999Z")
        raise MalformedMoment(
            f"{text!r} is neither a time like 2026-11-22T15:10:13Z nor a position like 3.1042 (partition 3, entry 1042)"
        )
    day, minute, second, fraction, offset = found.groups()
    if offset is None:
        raise MalformedMoment(f"{text} does not say in which time zone: add Z for UTC, or an offset such as +01:00")
    zone = "+00:00" if offset.upper() in {"Z", "UTC"} else f"{offset[:3]}:{offset[-2:]}"
    try:
        return microseconds(f"{day}T{minute}{second or ':00'}{_six_digits(fraction)}{zone}")
    except (ValueError, OverflowError) as error:
        raise MalformedMoment(f"{text} is not a valid time: {error}") from error


def _six_digits(fraction: str | None) -> str:
    return "" if fraction is None else fraction[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, "0")
