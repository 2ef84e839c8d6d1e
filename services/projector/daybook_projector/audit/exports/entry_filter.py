"""Selects the entries to export: criteria in; whether an entry meets them, and the manifest's `filter`, out. Pure."""

from dataclasses import dataclass, field
from typing import Final

import msgspec

from daybook_projector.audit.exports.manifest import Filter


class _Columns(msgspec.Struct, gc=False):
    """The columns that a filter looks at. Their values can have any type."""

    org_id: object = None
    created_at: object = None
    action: object = None
    result: object = None


_COLUMNS: Final = msgspec.json.Decoder(_Columns)


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Matches entries from `since` on and before `until`, both in the form of `created_at`. An empty criterion matches
    every entry.
    """

    org_id: str | None = None
    since: str | None = None
    until: str | None = None
    actions: frozenset[str] = field(default=frozenset())
    results: frozenset[str] = field(default=frozenset())

    def as_json(self) -> Filter | None:
        """The criteria; None if every entry meets the filter."""
        members = {
            "org_id": self.org_id,
            "since": self.since,
            "until": self.until,
            "actions": sorted(self.actions),
            "results": sorted(self.results),
        }
        return {name: member for name, member in members.items() if member} or None

    def meets(self, value: bytes) -> bool:
        """`value`: the JCS bytes of an entry. An entry without a column meets no criterion for that column."""
        found = _COLUMNS.decode(value)
        return (
            (self.org_id is None or found.org_id == self.org_id)
            and (not self.actions or found.action in self.actions)
            and (not self.results or found.result in self.results)
            and (self.since is None or (isinstance(found.created_at, str) and found.created_at >= self.since))
            and (self.until is None or (isinstance(found.created_at, str) and found.created_at < self.until))
        )


ALL: Final = EntryFilter()
