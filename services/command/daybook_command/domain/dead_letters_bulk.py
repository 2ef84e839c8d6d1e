"""Commands on many dead letters of a connection, chosen by ids or a filter. The entry lists the changed ones."""

from typing import Final, NamedTuple

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from daybook_command.domain import rejections
from daybook_command.domain.connections import Connection, connection_target, find_connection, rights_on_connection
from daybook_command.domain.dead_letters import connection_and_letters, with_resolved
from daybook_command.domain.decision import DecisionContext, Rejection
from daybook_command.domain.handlers import OrgFold, Ruling, Thing, ThingHandler
from daybook_command.domain.permissions import EDITORS_AND_SERVICES
from daybook_command.domain.references import ChildRef, Named, PendingLetters
from daybook_command.domain.state import Org
from daybook_contracts.commands.dead_letters import PendingFilter, ResolveDlqEvents, RetryDlqEvents
from daybook_contracts.entries.facts import DlqEventsResolved, DlqEventsRetried, DlqFilter
from daybook_contracts.entries.fields import unless_none
from daybook_contracts.limits import BULK_IDS, MAX_REMAINING, RETRY_COUNT


class _Selection(NamedTuple):
    """What the command changes. `ids`: pending dead letters, ascending. `filter` and `remaining` are set only if the
    command has a filter.
    """

    ids: tuple[str, ...]
    filter: DlqFilter | UnsetType = UNSET
    remaining: int | UnsetType = UNSET


def _named(command: RetryDlqEvents | ResolveDlqEvents) -> Named:
    data = command.data
    letters = None if data.filter is None else PendingLetters(data.connection_id, data.filter.max_retry_count)
    return Named(connections=(data.connection_id,), dead_letters=data.ids or (), filter=letters)


def retry_dlq_events(command: RetryDlqEvents, org: Org, _: Connection, context: DecisionContext) -> Ruling:
    """A dead letter whose retry count is at the limit is skipped, like a resolved one."""
    selection = _selection(command, org, context)
    if isinstance(selection, Rejection):
        return selection
    ids = tuple(id_ for id_ in selection.ids if org.dead_letters[id_].retry_count < RETRY_COUNT)
    return DlqEventsRetried(
        connection_id=command.data.connection_id,
        changed=UNSET if ids else False,
        filter=selection.filter,
        ids=ids,
        remaining=selection.remaining,
    )


def resolve_dlq_events(command: ResolveDlqEvents, org: Org, _: Connection, context: DecisionContext) -> Ruling:
    selection = _selection(command, org, context)
    if isinstance(selection, Rejection):
        return selection
    return DlqEventsResolved(
        connection_id=command.data.connection_id,
        changed=UNSET if selection.ids else False,
        filter=selection.filter,
        ids=selection.ids,
        reason=unless_none(command.data.reason),
        remaining=selection.remaining,
        resolution=command.data.resolution,
    )


def _selection(
    command: RetryDlqEvents | ResolveDlqEvents, org: Org, context: DecisionContext
) -> _Selection | Rejection:
    data = command.data
    if data.filter is not None:
        return _by_filter(data.filter, data.connection_id, org, context)
    named = {id_: org.dead_letters.get(id_) for id_ in data.ids or ()}
    if any(letter is None or letter.connection_id != data.connection_id for letter in named.values()):
        return rejections.LETTER_NOT_OF_CONNECTION
    return _Selection(tuple(sorted(id_ for id_, letter in named.items() if letter is not None and letter.pending)))


def _by_filter(filter_: PendingFilter, connection_id: str, org: Org, context: DecisionContext) -> _Selection:
    most = RETRY_COUNT if filter_.max_retry_count is None else filter_.max_retry_count
    matching = sorted(
        id_
        for id_, letter in org.dead_letters.items()
        if letter.connection_id == connection_id and letter.pending and letter.retry_count <= most
    )
    remaining = len(matching[BULK_IDS:]) + context.unread_matches
    return _Selection(
        ids=tuple(matching[:BULK_IDS]),
        filter=DlqFilter(max_retry_count=unless_none(filter_.max_retry_count)),
        remaining=min(remaining, MAX_REMAINING),
    )


def _touches(fact: DlqEventsRetried | DlqEventsResolved) -> tuple[ChildRef, ...]:
    return connection_and_letters(fact.connection_id, *fact.ids)


def _retried(org: Org, fact: DlqEventsRetried) -> Org:
    letters = ((id_, org.dead_letters[id_]) for id_ in fact.ids)
    retried = {id_: replace(letter, retry_count=letter.retry_count + 1) for id_, letter in letters}
    return replace(org, dead_letters=org.dead_letters.update(retried))


def _resolved(org: Org, fact: DlqEventsResolved) -> Org:
    return with_resolved(org, fact.connection_id, fact.ids)


_LETTERS = Thing(connection_target, _named, find=find_connection, rights=rights_on_connection)

HANDLERS: Final = (
    ThingHandler(RetryDlqEvents, EDITORS_AND_SERVICES, _LETTERS, retry_dlq_events),
    ThingHandler(ResolveDlqEvents, EDITORS_AND_SERVICES, _LETTERS, resolve_dlq_events),
)
FOLDS: Final = (
    OrgFold(DlqEventsRetried, _retried, touches=_touches),
    OrgFold(DlqEventsResolved, _resolved, touches=_touches),
)
