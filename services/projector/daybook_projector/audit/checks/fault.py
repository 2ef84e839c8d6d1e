"""The fault of one entry: the check that failed first, and its details for a finding."""

from typing import Any, NamedTuple

from msgspec import UNSET

from daybook_projector.audit.checks.finding import Check


class Fault(NamedTuple):
    """`expected` and `found` are JSON values. `field`: the wrong column's name. A finding leaves out what is UNSET."""

    check: Check
    expected: Any = UNSET
    found: Any = UNSET
    field: Any = UNSET
