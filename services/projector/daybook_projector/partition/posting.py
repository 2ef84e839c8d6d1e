"""What a batch's entries come to: entries and the quarantined orgs in, rows out. Pure, but for the log of a bug."""

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

NOBODY: Container[str | None] = frozenset()


@dataclass(frozen=True, slots=True)
class Poison:
    """The first entry of an org that cannot be applied."""

    org_id: str
    position: int
    reason: str


def net_changes(
    folds: Folds, entries: Iterable[PartitionEntry], frozen: Container[str | None]
) -> list[tuple[NetChange, ...]]:
    """Of all orgs but the frozen ones, stretch by stretch. Raises `FoldError`."""
    free = (entry for entry in entries if entry.org_id not in frozen)
    changes = ((entry.org_id, change) for entry in free for change in _changes(folds, entry))
    return [net_effect(stretch) for stretch in write_phases(changes)]


def key_inserts(entries: Iterable[PartitionEntry]) -> Iterator[Insert]:
    """What entries of a quarantined org still write beside `audit_log`, where it is not there yet."""
    for entry in entries:
        if entry.columns is not None:
            yield from key_rows(entry.columns, entry.fact)


def audit_rows(entries: Iterable[PartitionEntry]) -> list[AuditRow]:
    """Under their first ids. Raises `FoldError` where the columns cannot be read."""
    rows = []
    for entry in entries:
        if entry.columns is None:
            raise FoldError(f"the columns of entry {entry.head.position} cannot be read")
        rows.append(audit_row(entry.columns, entry.metadata))
    return rows


def chosen_ids(entries: Iterable[PartitionEntry]) -> list[tuple[str, str]]:
    """Of things that entries create under an id that a service chose: that id and its org. Of entries that cannot be
    applied too, as they may be later.
    """
    return [
        (thing, entry.org_id)
        for entry in entries
        if (thing := created_thing(entry.fact)) is not None and entry.org_id is not None and is_chosen(thing)
    ]


def by_org(entries: Iterable[PartitionEntry]) -> dict[str | None, list[PartitionEntry]]:
    """Those without an org first, for they make users; then in the order in which the orgs first appear."""
    groups: dict[str | None, list[PartitionEntry]] = {None: []}
    for entry in entries:
        groups.setdefault(entry.org_id, []).append(entry)
    return groups


def _changes(folds: Folds, entry: PartitionEntry) -> Sequence[Change]:
    if entry.poison is not None or entry.columns is None:
        raise FoldError(entry.poison or "its columns cannot be read")
    try:
        return fold(folds, entry.columns, entry.fact)
    except FoldError:
        raise
    except Exception as bug:
        # One of the two places where a bug is poison: it must not stop the orgs that it does not touch.
        log.exception("fold_failed", position=entry.head.position, action=entry.columns.action)
        raise FoldError(f"the fold failed: {type(bug).__name__}") from bug
