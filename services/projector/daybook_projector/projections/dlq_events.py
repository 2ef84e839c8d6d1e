"""dlq_events: one row per dead letter of a connection, pending until it is resolved."""

from collections.abc import Iterable

from daybook_contracts.entries.facts import (
    DlqEventRecorded,
    DlqEventResolved,
    DlqEventRetried,
    DlqEventsResolved,
    DlqEventsRetried,
)
from daybook_projector.projections.changes import Change, Insert, Table, Update, Value
from daybook_projector.projections.rule import Columns, Rules
from daybook_projector.projections.source_connections import SOURCE_CONNECTIONS

DLQ_EVENTS = Table(
    "public.dlq_events",
    key=("id",),
    columns={
        "id": "uuid",
        "connection_id": "uuid",
        "payload_json": "jsonb",
        "status": "text",
        "retry_count": "integer",
    },
    cascades_from=("connection_id", SOURCE_CONNECTIONS),
)


def recorded(_entry: Columns, fact: DlqEventRecorded) -> Iterable[Change]:
    row: dict[str, Value] = {
        "id": fact.dlq_event_id,
        "connection_id": fact.connection_id,
        "payload_json": bytes(fact.payload).decode(),
        "status": "pending",
        "retry_count": 0,
    }
    return (Insert(DLQ_EVENTS, row),)


def retried(_entry: Columns, fact: DlqEventRetried) -> Iterable[Change]:
    return (Update(DLQ_EVENTS, (fact.dlq_event_id,), {"retry_count": fact.retry_count}),)


def resolved(_entry: Columns, fact: DlqEventResolved) -> Iterable[Change]:
    return (Update(DLQ_EVENTS, (fact.dlq_event_id,), {"status": "resolved"}),)


def many_retried(_entry: Columns, fact: DlqEventsRetried) -> Iterable[Change]:
    return tuple(Update(DLQ_EVENTS, (id_,), {}, added={"retry_count": 1}) for id_ in fact.ids)


def many_resolved(_entry: Columns, fact: DlqEventsResolved) -> Iterable[Change]:
    return tuple(Update(DLQ_EVENTS, (id_,), {"status": "resolved"}) for id_ in fact.ids)


RULES: Rules = {
    DlqEventRecorded: recorded,
    DlqEventRetried: retried,
    DlqEventResolved: resolved,
    DlqEventsRetried: many_retried,
    DlqEventsResolved: many_resolved,
}
