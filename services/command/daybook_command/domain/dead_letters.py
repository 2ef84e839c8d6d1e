"""Commands on single dead letters. Commands that change many at once are in dead_letters_bulk.py."""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from daybook_command.domain import rejections
from daybook_command.domain.activity import project_of, rights_on_child, with_activity
from daybook_command.domain.connections import Connection, find_connection, rights_on_connection
from daybook_command.domain.decision import DecisionContext, Rejection
from daybook_command.domain.handlers import OrgFold, Ruling, Target, Thing, ThingHandler, is_taken
from daybook_command.domain.permissions import EDITORS_AND_SERVICES
from daybook_command.domain.references import ChildKind, ChildRef, Named, chosen_id, optional_id
from daybook_command.domain.state import Org
from daybook_contracts.commands.dead_letters import RecordDlqEvent, ResolveDlqEvent, RetryDlqEvent
from daybook_contracts.entries.facts import DlqEventRecorded, DlqEventResolved, DlqEventRetried
from daybook_contracts.entries.fields import free_json, unless_none
from daybook_contracts.limits import RETRY_COUNT


class DeadLetter(Struct, frozen=True, gc=False):
    connection_id: str
    pending: bool
    retry_count: int


def _new_letter(command: RecordDlqEvent, new_id: str, org: Org | None) -> Target:
    data = command.data
    return Target("dlq_event", data.dlq_event_id or new_id, project_of(org, data.connection_id))


def _target(command: RetryDlqEvent | ResolveDlqEvent, _new_id: str, org: Org | None) -> Target:
    dlq_event_id = command.data.dlq_event_id
    letter = None if org is None else org.dead_letters.get(dlq_event_id)
    return Target("dlq_event", dlq_event_id, None if letter is None else project_of(org, letter.connection_id))


def _named_by_record(command: RecordDlqEvent) -> Named:
    connection_id, id_ = command.data.connection_id, command.data.dlq_event_id
    return Named(connections=(connection_id,), dead_letters=optional_id(id_), chosen=chosen_id("dlq_events", id_))


def _named(command: RetryDlqEvent | ResolveDlqEvent) -> Named:
    return Named(dead_letters=(command.data.dlq_event_id,))


def _find_letter(command: RetryDlqEvent | ResolveDlqEvent, org: Org) -> DeadLetter | Rejection:
    """A dead letter of a deleted connection counts as deleted, even if the tables still have it."""
    letter = org.dead_letters.get(command.data.dlq_event_id)
    if letter is None or letter.connection_id not in org.connections:
        return rejections.DLQ_EVENT_NOT_FOUND
    return letter


def record_dlq_event(command: RecordDlqEvent, org: Org, _: Connection, context: DecisionContext) -> Ruling:
    """The connection may be inactive: its events may still arrive."""
    data = command.data
    dlq_event_id = data.dlq_event_id or context.new_id
    if is_taken(dlq_event_id, org.dead_letters, context):
        return rejections.ID_TAKEN
    return DlqEventRecorded(
        connection_id=data.connection_id,
        dlq_event_id=dlq_event_id,
        error=unless_none(data.error),
        payload=free_json(data.payload),
    )


def retry_dlq_event(command: RetryDlqEvent, _org: Org, letter: DeadLetter, _: DecisionContext) -> Ruling:
    if not letter.pending:
        return rejections.DLQ_EVENT_RESOLVED
    if letter.retry_count >= RETRY_COUNT:
        return rejections.RETRIES_LIMIT
    return DlqEventRetried(
        connection_id=letter.connection_id,
        dlq_event_id=command.data.dlq_event_id,
        retry_count=letter.retry_count + 1,
    )


def resolve_dlq_event(command: ResolveDlqEvent, _org: Org, letter: DeadLetter, _: DecisionContext) -> Ruling:
    if not letter.pending:
        return rejections.DLQ_EVENT_RESOLVED
    return DlqEventResolved(
        connection_id=letter.connection_id,
        dlq_event_id=command.data.dlq_event_id,
        reason=unless_none(command.data.reason),
        resolution=command.data.resolution,
    )


def connection_and_letters(connection_id: str, *ids: str) -> tuple[ChildRef, ...]:
    return ChildRef(ChildKind.CONNECTION, connection_id), *(ChildRef(ChildKind.DEAD_LETTER, id_) for id_ in ids)


def _touches(fact: DlqEventRecorded | DlqEventRetried | DlqEventResolved) -> tuple[ChildRef, ...]:
    return connection_and_letters(fact.connection_id, fact.dlq_event_id)


def _recorded(org: Org, fact: DlqEventRecorded) -> Org:
    recorded = DeadLetter(fact.connection_id, pending=True, retry_count=0)
    counted = with_activity(org, fact.connection_id, lambda was: replace(was, pending=was.pending + 1))
    return replace(counted, dead_letters=org.dead_letters.set(fact.dlq_event_id, recorded))


def _retried(org: Org, fact: DlqEventRetried) -> Org:
    letter = replace(org.dead_letters[fact.dlq_event_id], retry_count=fact.retry_count)
    return replace(org, dead_letters=org.dead_letters.set(fact.dlq_event_id, letter))


def _resolved(org: Org, fact: DlqEventResolved) -> Org:
    return with_resolved(org, fact.connection_id, (fact.dlq_event_id,))


def with_resolved(org: Org, connection_id: str, ids: tuple[str, ...]) -> Org:
    """The org with these dead letters resolved. All of them were pending."""
    counted = with_activity(org, connection_id, lambda was: replace(was, pending=was.pending - len(ids)))
    resolved = {id_: replace(org.dead_letters[id_], pending=False) for id_ in ids}
    return replace(counted, dead_letters=org.dead_letters.update(resolved))


_NEW_LETTER = Thing(_new_letter, _named_by_record, find=find_connection, rights=rights_on_connection)
_LETTER = Thing(_target, _named, find=_find_letter, rights=rights_on_child)

HANDLERS: Final = (
    ThingHandler(RecordDlqEvent, EDITORS_AND_SERVICES, _NEW_LETTER, record_dlq_event),
    ThingHandler(RetryDlqEvent, EDITORS_AND_SERVICES, _LETTER, retry_dlq_event),
    ThingHandler(ResolveDlqEvent, EDITORS_AND_SERVICES, _LETTER, resolve_dlq_event),
)
FOLDS: Final = (
    OrgFold(DlqEventRecorded, _recorded, touches=_touches),
    OrgFold(DlqEventRetried, _retried, touches=_touches),
    OrgFold(DlqEventResolved, _resolved, touches=_touches),
)
