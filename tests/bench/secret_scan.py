"""Prints how long the scan for secrets takes for texts of 256 KiB that are made to be slow, compared with plain
text.
"""

import sys
import time
from collections.abc import Callable, Iterator

from daybook_contracts.limits import ENVELOPE_BYTES
from daybook_contracts.secrets.redaction import REDACTED, first_secret, redacted
from daybook_contracts.secrets.scan import find_secret

PLAIN = "Pedido 4711: the order was paid, R$ 10,00. "
UNITS = (
    *("eyJ", "-eyJ", "eyJa.", "eyJaaaa.", "sk_live_", "sk-", "sk-ant-", "://user:", "://user:p", "://u:1@", "://"),
    *("-----BEGIN ", "-----BEGIN PRIVATE KEY", "-----BEGIN PRIVATE KEY-----\n-", "-----", "bearer ", "bearer:a1"),
    *("Basic dXNl ", "Basic dXNlcjpw ", "basic aaaaaaaaaaaa ", "?a=", "?token=", "?token=a&", "?token_type=a&"),
    *("&sig=", "?" + "a" * 70, "AKIA", "EAA", "EAAA", "SG.", "SG." + "a" * 16 + ".", "12345678:AA", "M", "M-"),
    *("M" * 25 + ".", "0123456789abcdef" * 2 + "-", "AccountKey=", "authorization: bearer ", "key-", "xox", "\0"),
    *(REDACTED, "a", " ", "{", "*", "://u:***", "?token={", "?k1key=a&", "?key=a&"),
)


def main() -> None:
    plain = time_of_text(PLAIN)
    _say(f"{'made of':>34} {'ms':>8} {'times plain':>12}")
    for name, seconds in (*texts(), *names()):
        _say(f"{name:>34} {seconds * 1e3:8.2f} {seconds / plain:12.2f}")


def texts() -> Iterator[tuple[str, float]]:
    for unit in UNITS:
        yield ascii(unit)[:34], time_of_text(unit)
    yield "different parameter names", time_of_text("".join(f"?token{n}x=a" for n in range(ENVELOPE_BYTES // 8)))


def names() -> Iterator[tuple[str, float]]:
    """Times the scan of a config's field names."""
    for length in (100, 4_000, ENVELOPE_BYTES):
        fields = [(f"{number}" + "?k1key=a&" * length)[:length] for number in range(ENVELOPE_BYTES // length)]
        value = {"data": {"config": dict.fromkeys(fields, "x")}}
        yield f"field names of {length}", quickest(lambda value=value: find_secret(value))  # type: ignore[misc]


def time_of_text(unit: str) -> float:
    text = (unit * (ENVELOPE_BYTES // len(unit) + 1))[:ENVELOPE_BYTES]

    def scan() -> None:
        first_secret(text)
        redacted(text)

    return quickest(scan)


def quickest(work: Callable[[], object]) -> float:
    """The CPU seconds of the fastest of three runs."""

    def once() -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    return min(once() for _ in range(3))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
