"""The things whose ids a service may choose (docs/log.md, rule 18)."""

from msgspec import UNSET

from daybook_contracts.entries.facts import (
    AlertRaised,
    ConnectionCreated,
    DlqEventRecorded,
    ProjectCreated,
    SecretRefCreated,
    SyncStarted,
)
from daybook_contracts.entries.fields import Fact
from daybook_contracts.text import uuid_version


def created_thing(fact: Fact | None) -> str | None:
    """The id of the thing that the entry creates; None for a policy's alert, whose id is always computed."""
    match fact:
        case ProjectCreated():
            return fact.project_id
        case ConnectionCreated():
            return fact.connection_id
        case SyncStarted():
            return fact.sync_run_id
        case DlqEventRecorded():
            return fact.dlq_event_id
        case AlertRaised() if fact.rule is UNSET:
            return fact.alert_id
        case SecretRefCreated():
            return fact.secret_ref_id
        case _:
            return None


def is_chosen(thing_id: str) -> bool:
    """Whether a service chose the id. Computed ids are UUIDv8 (RFC 9562, 5.8), and a service may not choose a
    UUIDv8.
    """
    return uuid_version(thing_id) != 8
