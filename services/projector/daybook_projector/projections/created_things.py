"""What an entry creates under an id that a service may have chosen (docs/log.md, rule 18)."""

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

_VERSION_AT = 14
"""Of a UUID as text: the hex digit that is its version."""


def created_thing(fact: Fact | None) -> str | None:
    """The id of what is created; a policy's alert has a computed one that means something else."""
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
    """A computed id is a UUIDv8, and no service may choose one of those."""
    return thing_id[_VERSION_AT] != "8"
