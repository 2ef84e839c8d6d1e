"""A finding: one thing that a verifier found wrong, and the order of findings (docs/verify.md)."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType, to_builtins

from daybook_contracts.json.canonical import NotCanonical, canonical_bytes

Check = Literal[
    "unreadable",
    "canonical",
    "partition",
    "position",
    "prev",
    "hash",
    "id",
    "commit",
    "columns",
    "created_at",
    "data",
    "missing",
    "surplus",
    "row",
    "activity",
]
"""The checks in the order in which they are tried on an entry. The last four are not about one entry: something is
missing or surplus, a row differs, or a connection's activity does not match its runs and dead letters.
"""

Place = Literal["topic", "audit_log", "tables", "export", "manifest"]

MAX_FINDINGS: Final = 1000
"""A report lists at most this many findings, and counts the others."""

LONGEST_VALUE: Final = 200
"""In bytes of JCS. A finding shows the hash of a longer value."""

_AFTER_ALL: Final = 2**63


class Finding(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """`expected` and `found` are JSON values. `key` is the primary key, as in the row. Members that do not apply are
    left out.
    """

    check: Check
    place: Place
    partition: int | UnsetType = UNSET
    position: float | UnsetType = UNSET
    id: str | UnsetType = UNSET
    table: str | UnsetType = UNSET
    key: tuple[Any, ...] | UnsetType = UNSET
    field: str | UnsetType = UNSET
    expected: Any = UNSET
    found: Any = UNSET

    @property
    def sort_key(self) -> tuple[Any, ...]:
        """Sorts by partition and position, then by table and key. Findings without a partition come after all
        partitions, and those without a position after all positions of their partition. Equal findings keep the order
        in which they were found, so sorting must be stable.
        """
        partition = _AFTER_ALL if self.partition is UNSET else self.partition
        position = _AFTER_ALL if self.position is UNSET else self.position
        table = "" if self.table is UNSET else self.table
        key = "" if self.key is UNSET else canonical_bytes(list(self.key)).decode()
        return partition, position, table, key

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = to_builtins(self)
        return found


def shown(value: object) -> Any:
    """The value as a finding shows it: the value itself, or its hash if it is long. UNSET stays UNSET."""
    if value is UNSET:
        return UNSET
    try:
        text = canonical_bytes(value)
    except NotCanonical:
        return "not a JSON value"
    return value if len(text) <= LONGEST_VALUE else f"sha256:{sha256(text).hexdigest()}"


class Findings:
    """Keeps the first `MAX_FINDINGS` in order, and counts the others. Memory is bounded."""

    def __init__(self) -> None:
        self._first: list[Finding] = []
        self._unlisted = 0

    def add(self, finding: Finding) -> None:
        self._first.append(finding)
        if len(self._first) >= 2 * MAX_FINDINGS:
            self._cut()

    def add_unless_there(self, finding: Finding) -> None:
        """Adds the finding if none has the same partition and position yet."""
        place = (finding.partition, finding.position)
        if all((each.partition, each.position) != place for each in self._first):
            self.add(finding)

    def extend(self, findings: Iterable[Finding], unlisted: int = 0) -> None:
        for finding in findings:
            self.add(finding)
        self._unlisted += unlisted

    @property
    def listed(self) -> list[Finding]:
        self._cut()
        return list(self._first)

    @property
    def unlisted(self) -> int:
        self._cut()
        return self._unlisted

    def __len__(self) -> int:
        return len(self._first) + self._unlisted

    def _cut(self) -> None:
        self._first.sort(key=lambda finding: finding.sort_key)
        self._unlisted += len(self._first[MAX_FINDINGS:])
        del self._first[MAX_FINDINGS:]
