"""Decides on dead letters, one by one or many at once. An entry names each that it touched, whatever chose them."""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from daybook_command.domain import rejections
from daybook_command.domain.decision import Decision, DecisionContext, Rejection
from daybook_command.domain.permissions import may_choose, may_on
from daybook_command.domain.state import DeadLetter, Org
from daybook_command.domain.targets import accepted, is_taken
from daybook_contracts.commands.dead_letters import (
    PendingFilter,
    RecordDlqEvent,
    ResolveDlqEvent,
    ResolveDlqEvents,
    RetryDlqEvent,
    RetryDlqEvents,
)
from daybook_contracts.entries.facts import (
    DlqEventRecorded,
    DlqEventResolved,
    DlqEventRetried,
    DlqEventsResolved,
    DlqEventsRetried,
    DlqFilter,
)
from daybook_contracts.entries.fields import free_json, unless_none
from daybook_contracts.limits import BULK_IDS, REMAINING_COUNTED, RETRY_COUNT


class _Chosen(NamedTuple):
    """What a bulk command is about. `ids` are pending, ascending; `filter` and `remaining` stand with a filter."""

    ids: tuple[str, ...]
    filter: DlqFilter | UnsetType = UNSET
    remaining: int | UnsetType = UNSET


def record_dlq_event(command: RecordDlqEvent, org: Org, context: DecisionContext) -> Decision:
    """An inactive connection may still have events on their way."""
    data = command.data
    dlq_event_id = data.dlq_event_id or context.new_id
    connection = org.connections.get(data.connection_id)
    if connection is None:
        return rejections.CONNECTION_NOT_FOUND
    if not may_on(command, org, connection):
        return rejections.FORBIDDEN
    if not may_choose(data.dlq_event_id, context.principal):
        return rejections.CHOSEN_ID
    if is_taken(dlq_event_id, org.dead_letters, context):
        return rejections.ID_TAKEN
    recorded = DlqEventRecorded(
        connection_id=data.connection_id,
        dlq_event_id=dlq_event_id,
        error=unless_none(data.error),
        payload=free_json(data.payload),
    )
    return accepted(command, org, context, recorded)


def retry_dlq_event(command: RetryDlqEvent, org: Org, context: DecisionContext) -> Decision:
    dlq_event_id = command.data.dlq_event_id
    letter = _pending(command, org)
    if isinstance(letter, Rejection):
        return letter
    if letter.retry_count >= RETRY_COUNT:
        return rejections.RETRIES_LIMIT
    retried = DlqEventRetried(
        connection_id=letter.connection_id, dlq_event_id=dlq_event_id, retry_count=letter.retry_count + 1
    )
    return accepted(command, org, context, retried)


def resolve_dlq_event(command: ResolveDlqEvent, org: Org, context: DecisionContext) -> Decision:
    data = command.data
    letter = _pending(command, org)
    if isinstance(letter, Rejection):
        return letter
    reason = unless_none(data.reason)
    resolved = DlqEventResolved(
        connection_id=letter.connection_id, dlq_event_id=data.dlq_event_id, reason=reason, resolution=data.resolution
    )
    return accepted(command, org, context, resolved)


def _pending(command: RetryDlqEvent | ResolveDlqEvent, org: Org) -> DeadLetter | Rejection:
    """Of a deleted connection the tables may still have dead letters: they are gone."""
    letter = org.dead_letters.get(command.data.dlq_event_id)
    connection = None if letter is None else org.connections.get(letter.connection_id)
    if letter is None or connection is None:
        return rejections.DLQ_EVENT_NOT_FOUND
    if not may_on(command, org, connection):
        return rejections.FORBIDDEN
    return letter if letter.pending else rejections.DLQ_EVENT_RESOLVED


def retry_dlq_events(command: RetryDlqEvents, org: Org, context: DecisionContext) -> Decision:
    """One that can be counted no further is skipped like one that is resolved."""
    chosen = _chosen(command, org, context)
    if isinstance(chosen, Rejection):
        return chosen
    ids = tuple(id_ for id_ in chosen.ids if org.dead_letters[id_].retry_count < RETRY_COUNT)
    retried = DlqEventsRetried(
        connection_id=command.data.connection_id,
        changed=UNSET if ids else False,
        filter=chosen.filter,
        ids=ids,
        remaining=chosen.remaining,
    )
    return accepted(command, org, context, retried)


def resolve_dlq_events(command: ResolveDlqEvents, org: Org, context: DecisionContext) -> Decision:
    data = command.data
    chosen = _chosen(command, org, context)
    if isinstance(chosen, Rejection):
        return chosen
    resolved = DlqEventsResolved(
        connection_id=data.connection_id,
        changed=UNSET if chosen.ids else False,
        filter=chosen.filter,
        ids=chosen.ids,
        reason=unless_none(data.reason),
        remaining=chosen.remaining,
        resolution=data.resolution,
    )
    return accepted(command, org, context, resolved)


def _chosen(command: RetryDlqEvents | ResolveDlqEvents, org: Org, context: DecisionContext) -> _Chosen | Rejection:
    data = command.data
    connection = org.connections.get(data.connection_id)
    if connection is None:
        return rejections.CONNECTION_NOT_FOUND
    if not may_on(command, org, connection):
        return rejections.FORBIDDEN
    if data.filter is not None:
        return _by_filter(data.filter, data.connection_id, org, context)
    return _by_ids(data.ids or (), data.connection_id, org)


def _by_ids(ids: Iterable[str], connection_id: str, org: Org) -> _Chosen | Rejection:
    named = {id_: org.dead_letters.get(id_) for id_ in ids}
    if any(letter is None or letter.connection_id != connection_id for letter in named.values()):
        return rejections.NOT_OF_CONNECTION
    return _Chosen(tuple(sorted(id_ for id_, letter in named.items() if letter is not None and letter.pending)))


def _by_filter(wanted: PendingFilter, connection_id: str, org: Org, context: DecisionContext) -> _Chosen:
    most = RETRY_COUNT if wanted.max_retry_count is None else wanted.max_retry_count
    matching = sorted(
        id_
        for id_, letter in org.dead_letters.items()
        if letter.connection_id == connection_id and letter.pending and letter.retry_count <= most
    )
    left = len(matching[BULK_IDS:]) + context.beyond
    return _Chosen(
        ids=tuple(matching[:BULK_IDS]),
        filter=DlqFilter(max_retry_count=unless_none(wanted.max_retry_count)),
        remaining=min(left, REMAINING_COUNTED + 1),
    )
