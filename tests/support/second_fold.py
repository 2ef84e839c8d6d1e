"""Computes with the tests' own fold what the auditors' fold must give: the rows as canonical JSON (JCS), and the
entries that cannot be applied. It copies all tables for each entry, so use it for short logs only.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import rfc8785

from support.chain import Json
from support.recounted import ACTIVITY, ACTIVITY_COLUMNS, recounted
from support.tables import COLUMNS, Tables, post

REFERENCES = {
    "org_members": {"org_id": "orgs"},
    "projects": {"org_id": "orgs"},
    "project_members": {"project_id": "projects"},
    "source_connections": {"org_id": "orgs", "project_id": "projects"},
    "sync_runs": {"connection_id": "source_connections"},
    "dlq_events": {"connection_id": "source_connections"},
    "integration_alerts": {"project_id": "projects"},
    "secret_refs": {"org_id": "orgs"},
}
FOLDED = [name for name in COLUMNS if name != "audit_log"]


@dataclass(slots=True)
class SecondFold:
    """`frozen`: for each org in quarantine, the position of the first entry that is not applied. `poison`: the
    positions of entries that could not be applied.
    """

    frozen: dict[str, int] = field(default_factory=dict)
    tables: Tables = field(default_factory=lambda: {name: {} for name in COLUMNS})
    poison: list[int] = field(default_factory=list)

    def take(self, entries: Iterable[Json]) -> "SecondFold":
        for entry in entries:
            self._take(entry)
        return self

    def _take(self, entry: Json) -> None:
        org_id, position = entry["org_id"], entry["metadata_json"]["position"]
        is_new = position < self.frozen.get(org_id, position + 1)
        if is_new and self._fits(post, entry):
            return
        if is_new and org_id is not None:
            self.frozen[org_id] = position
        if not self._fits(keep_keys, entry) or is_new:
            self.poison.append(position)

    def _fits(self, change: Callable[[Tables, Json], None], entry: Json) -> bool:
        """Makes the change if the tables allow it; returns whether it was made."""
        tried = {name: dict(rows) for name, rows in self.tables.items()}
        try:
            change(tried, entry)
            require_parents(tried)
        except (KeyError, AssertionError):
            return False
        self.tables = tried
        return True


def keep_keys(tables: Tables, entry: Json) -> None:
    """Inserts the rows that even an entry of an org in quarantine inserts."""
    data, created_at = entry["metadata_json"]["data"], entry["created_at"]
    if entry["result"] == "success" and entry["action"] == "CREATE_ORG":
        tables["orgs"].setdefault((entry["org_id"],), (data["name"], created_at))
    if entry["result"] == "success" and entry["action"] == "CREATE_PROJECT":
        row = (entry["org_id"], data["name"], created_at)
        tables["projects"].setdefault((data["project_id"],), row)


def require_parents(tables: Tables) -> None:
    for name, references in REFERENCES.items():
        columns = [column for part in COLUMNS[name] for column in part]
        for key, values in tables[name].items():
            row = dict(zip(columns, (*key, *values), strict=True))
            for column, parent in references.items():
                assert (row[column],) in tables[parent], f"{name} {key} has no parent"


def jcs_rows(tables: Tables, *, activity: bool = True) -> Mapping[str, list[tuple[bytes, bytes]]]:
    """For each table, the key of each row as bytes and the row as JCS, sorted by key. Without `activity`, the activity
    of connections is left out: it can be counted only if no entry is missing.
    """
    folded = {name: tables[name] for name in FOLDED} | ({ACTIVITY: recounted(tables)} if activity else {})
    names = COLUMNS | {ACTIVITY: ACTIVITY_COLUMNS}
    return {
        name: sorted(_jcs_row([column for part in names[name] for column in part], *row) for row in table.items())
        for name, table in folded.items()
    }


def _jcs_row(columns: list[str], key: tuple[str, ...], values: tuple[object, ...]) -> tuple[bytes, bytes]:
    row = rfc8785.dumps(dict(zip(columns, (*key, *values), strict=True)))  # type: ignore[arg-type]  # JSON values
    return bytes.fromhex("".join(key).replace("-", "")), row
