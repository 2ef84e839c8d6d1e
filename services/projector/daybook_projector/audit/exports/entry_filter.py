"""Which entries an export has: criteria in; whether an entry meets them, and the manifest's `filter`, out. Pure."""

from dataclasses import dataclass, field
from typing import Final

import msgspec

from daybook_projector.audit.exports.manifest import Filter


class _Columns(msgspec.Struct, gc=False):
    """Of any entry, whatever its columns hold."""

    org_id: object = None
    created_at: object = None
    action: object = None
    result: object = None


_COLUMNS: Final = msgspec.json.Decoder(_Columns)


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """`since`, `until`: as entries have `created_at`; from `since` on, and before `until`. Empty means any."""

    org_id: str | None = None
    since: str | None = None
    until: str | None = None
    actions: frozenset[str] = field(default=frozenset())
    results: frozenset[str] = field(default=frozenset())

    def as_json(self) -> Filter | None:
        """None if every entry meets it."""
        members = {
            "org_id": self.org_id,
            "since": self.since,
            "until": self.until,
            "actions": sorted(self.actions),
            "results": sorted(self.results),
        }
        return {name: member for name, member in members.items() if member} or None

    def meets(self, value: bytes) -> bool:
        """`value`: the JCS bytes of an entry. One without a column meets no criterion of it."""
        found = _COLUMNS.decode(value)
        return (
            (self.org_id is None or found.org_id == self.org_id)
            and (not self.actions or found.action in self.actions)
            and (not self.results or found.result in self.results)
            and (self.since is None or (isinstance(found.created_at, str) and found.created_at >= self.since))
            and (self.until is None or (isinstance(found.created_at, str) and found.created_at < self.until))
        )


ALL: Final = EntryFilter()
