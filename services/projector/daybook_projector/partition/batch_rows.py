"""The rows that a batch changes: entries and quarantined orgs in, row changes out. Pure, except that it logs bugs."""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from daybook_infra.runtime.logs import get_logger
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.projections.audit_log import AuditRow, audit_row
from daybook_projector.projections.changes import Change, FoldError, Insert, NetChange, net_effect
from daybook_projector.projections.created_things import created_thing, is_chosen
from daybook_projector.projections.fold import Folds, fold, key_rows
from daybook_projector.projections.write_phases import write_phases

log = get_logger(__name__)

NO_ORGS: Container[str | None] = frozenset()


@dataclass(frozen=True, slots=True)
class Poison:
    """An org's first entry that could not be applied."""

    org_id: str
    position: int
    reason: str


def net_changes(
    folds: Folds, entries: Iterable[PartitionEntry], frozen: Container[str | None]
) -> list[tuple[NetChange, ...]]:
    """The changes of all orgs except the frozen ones, one write phase after another. Raises `FoldError`."""
    free = [entry for entry in entries if entry.org_id not in frozen]
    changes = [(entry.org_id, change) for entry in free for change in entry_changes(folds, entry)]
    return [net_effect(phase) for phase in write_phases(changes)]


def entry_changes(folds: Folds, entry: PartitionEntry) -> Sequence[Change]:
    """The changes of one entry. Raises `FoldError`, also for a bug in the fold."""
    if entry.poison is not None or entry.columns is None:
        raise FoldError(entry.poison or "its columns cannot be read")
    try:
        return fold(folds, entry.columns, entry.fact)
    except FoldError:
        raise
    except Exception as bug:
        # A bug in the fold counts as a poison entry, so that it does not stop other orgs.
        log.exception("fold_failed", position=entry.head.position, action=entry.columns.action)
        raise FoldError(f"the fold failed: {type(bug).__name__}") from bug


def key_inserts(entries: Iterable[PartitionEntry]) -> Iterator[Insert]:
    """The rows of `orgs` and `projects` that entries of a quarantined org still insert unless they exist, because rows
    of `audit_log` refer to them.
    """
    for entry in entries:
        if entry.columns is not None:
            yield from key_rows(entry.columns, entry.fact)


def audit_rows(entries: Iterable[PartitionEntry]) -> list[AuditRow]:
    """The entries' rows in `audit_log`, under their first ids. Raises `FoldError` if the columns cannot be read."""
    rows = []
    for entry in entries:
        if entry.columns is None:
            raise FoldError(f"the columns of entry {entry.head.position} cannot be read")
        rows.append(audit_row(entry.columns, entry.metadata))
    return rows


def chosen_ids(entries: Iterable[PartitionEntry]) -> list[tuple[str, str]]:
    """The ids that services chose for what the entries create, each with its org. Includes entries that cannot be
    applied now, because they may be applied later.
    """
    return [
        (thing, entry.org_id)
        for entry in entries
        if (thing := created_thing(entry.fact)) is not None and entry.org_id is not None and is_chosen(thing)
    ]


def group_by_org(entries: Iterable[PartitionEntry]) -> dict[str | None, list[PartitionEntry]]:
    """Entries without an org come first, because they create users; then orgs in the order in which they first
    appear.
    """
    groups: dict[str | None, list[PartitionEntry]] = {None: []}
    for entry in entries:
        groups.setdefault(entry.org_id, []).append(entry)
    return groups
