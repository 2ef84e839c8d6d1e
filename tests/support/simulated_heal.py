"""The simulated `daybook projector heal`: folds an org's entries again, replaces its rows, and releases it."""

from daybook_contracts.entries.entry import Entry, fact_of
from daybook_projector.projections.changes import Row, Table, net_effect
from daybook_projector.projections.fold import TABLES, fold
from daybook_projector.projections.write_phases import write_phases
from daybook_projector.rebuild.org_rebuild import TABLES_OF_ORGS
from support.copies import folded
from support.row_tables import RowTables
from support.simulated_postgres import FOLDS, Stored


def healed_tables() -> tuple[Table, ...]:
    """The tables whose rows a heal corrects."""
    return TABLES_OF_ORGS


def quarantined(stored: Stored, org_id: str) -> Stored:
    """A state in which the org's rows no longer change, as if its next entry could not be applied."""
    after = stored.copy()
    after.quarantine[org_id] = (stored.generation(org_id) + 1, True)
    return after


def healed(stored: Stored, org_id: str) -> Stored:
    after = stored.copy()
    entries = _entries_of(stored, org_id)
    for table in healed_tables():
        rows = after.rows.rows[table.name]
        kept = {key: row for key, row in rows.items() if _org_of(row, table, stored.rows) != org_id}
        after.rows.rows[table.name] = kept | _folded(entries).rows[table.name]
    after.orgs[org_id] = folded(entries)
    after.quarantine[org_id] = (stored.generation(org_id) + 1, False)
    return after


def _entries_of(stored: Stored, org_id: str) -> list[Entry]:
    own = (each for each in stored.entries.values() if each.org_id == org_id and each.result == "success")
    return sorted(own, key=lambda entry: entry.metadata_json.position)


def _folded(entries: list[Entry]) -> RowTables:
    tables = RowTables(TABLES)
    changes = ((entry.org_id, change) for entry in entries for change in fold(FOLDS, entry, fact_of(entry)))
    for phase in write_phases(changes):
        tables.apply(net_effect(phase))
    return tables


def _org_of(row: Row, table: Table, rows: RowTables) -> object:
    if table.name == "public.orgs":
        return row["id"]
    if "org_id" in row:
        return row["org_id"]
    column, parent = ("project_id", "projects") if "project_id" in row else ("connection_id", "source_connections")
    return rows.rows[f"public.{parent}"][row[column],]["org_id"]
