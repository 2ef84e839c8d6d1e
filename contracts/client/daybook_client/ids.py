"""Makes ids of commands. They are UUIDv7: an entry's id starts like its command's id, so ids that are made at about
the same time stay close together in an index.
"""

import secrets
import time


def uuid7() -> str:
    """RFC 9562, section 5.7: 48 bits of Unix milliseconds and 74 random bits, as lower-case text."""
    drawn = secrets.randbits(74)
    high, low = drawn >> 62, drawn & ((1 << 62) - 1)
    number = (time.time_ns() // 1_000_000 & 0xFFFFFFFFFFFF) << 80 | 7 << 76 | high << 64 | 2 << 62 | low
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
