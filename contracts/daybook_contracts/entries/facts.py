"""The facts that success entries state: one struct per action, with its fields in JCS order, read from the entry's
`data`. Over 250 lines, because the facts of all actions belong together.
"""

from typing import Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from daybook_contracts.entries.fact_ids import id_reader
from daybook_contracts.entries.fields import (
    Changeable,
    Count,
    Fact,
    FreeObject,
    ProjectRole,
    Resolution,
    Role,
    Rule,
    Severity,
    Uuid,
    Uuids,
    require_config,
    require_object,
)
from daybook_contracts.text import hex_shape, shape_of_ids


class UserRegistered(Changeable, frozen=True, kw_only=True):
    user_id: Uuid


class OrgCreated(Fact, frozen=True, kw_only=True):
    name: str


class OrgRenamed(Changeable, frozen=True, kw_only=True):
    name: str


class MemberAdded(Fact, frozen=True, kw_only=True):
    role: Role
    user_id: Uuid


class MemberUpdated(Changeable, frozen=True, kw_only=True):
    """`project_ids`: on a change to viewer, the projects in which the user becomes a viewer."""

    project_ids: Uuids | UnsetType = UNSET
    role: Role
    user_id: Uuid


class MemberRemoved(Fact, frozen=True, kw_only=True):
    """`project_ids`: the projects that the user leaves as well."""

    project_ids: Uuids
    user_id: Uuid


class ProjectCreated(Fact, frozen=True, kw_only=True):
    name: str
    project_id: Uuid


class ProjectRenamed(Changeable, frozen=True, kw_only=True):
    name: str
    project_id: Uuid


class ProjectMemberAdded(Fact, frozen=True, kw_only=True):
    project_id: Uuid
    role: ProjectRole
    user_id: Uuid


class ProjectMemberUpdated(Changeable, frozen=True, kw_only=True):
    project_id: Uuid
    role: ProjectRole
    user_id: Uuid


class ProjectMemberRemoved(Fact, frozen=True, kw_only=True):
    project_id: Uuid
    user_id: Uuid


class ConnectionCreated(Fact, frozen=True, kw_only=True):
    config: FreeObject
    connection_id: Uuid
    name: str
    project_id: Uuid
    type: str

    def __post_init__(self) -> None:
        require_config(self.config)


class ConnectionUpdated(Changeable, frozen=True, kw_only=True):
    """`config` replaces the old config as a whole."""

    config: FreeObject | UnsetType = UNSET
    connection_id: Uuid
    name: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        Changeable.__post_init__(self)
        require_config(self.config)


class ConnectionActivated(Changeable, frozen=True, kw_only=True):
    connection_id: Uuid
    reason: str | UnsetType = UNSET


class ConnectionDeactivated(Changeable, frozen=True, kw_only=True):
    connection_id: Uuid
    reason: str | UnsetType = UNSET


class ConnectionDeleted(Fact, frozen=True, kw_only=True):
    connection_id: Uuid


class SyncStarted(Fact, frozen=True, kw_only=True):
    connection_id: Uuid
    sync_run_id: Uuid


class SyncCompleted(Fact, frozen=True, kw_only=True):
    connection_id: Uuid
    stats: FreeObject | UnsetType = UNSET
    sync_run_id: Uuid

    def __post_init__(self) -> None:
        require_object(self.stats)


class SyncFailed(Fact, frozen=True, kw_only=True):
    connection_id: Uuid
    error_message: str
    sync_run_id: Uuid


class SyncCancelled(Fact, frozen=True, kw_only=True):
    connection_id: Uuid
    reason: str | UnsetType = UNSET
    sync_run_id: Uuid


class DlqEventRecorded(Fact, frozen=True, kw_only=True):
    connection_id: Uuid
    dlq_event_id: Uuid
    error: str | UnsetType = UNSET
    payload: Raw


class DlqEventRetried(Fact, frozen=True, kw_only=True):
    """`retry_count`: the new value."""

    connection_id: Uuid
    dlq_event_id: Uuid
    retry_count: Count


class DlqEventResolved(Fact, frozen=True, kw_only=True):
    connection_id: Uuid
    dlq_event_id: Uuid
    reason: str | UnsetType = UNSET
    resolution: Resolution


class DlqFilter(Fact, frozen=True, kw_only=True):
    max_retry_count: Count | UnsetType = UNSET


class DlqEventsRetried(Changeable, frozen=True, kw_only=True):
    """`ids`: the retried dead letters. `remaining`: how many others match the filter; 10001 means over 10000."""

    connection_id: Uuid
    filter: DlqFilter | UnsetType = UNSET
    ids: Uuids
    remaining: Count | UnsetType = UNSET


class DlqEventsResolved(Changeable, frozen=True, kw_only=True):
    """`ids`: the resolved dead letters. `remaining`: how many others match the filter; 10001 means over 10000."""

    connection_id: Uuid
    filter: DlqFilter | UnsetType = UNSET
    ids: Uuids
    reason: str | UnsetType = UNSET
    remaining: Count | UnsetType = UNSET
    resolution: Resolution


class AlertRaised(Fact, frozen=True, kw_only=True):
    """`rule`: set only if a policy raised the alert."""

    alert_id: Uuid
    connection_id: Uuid | UnsetType = UNSET
    message: str
    project_id: Uuid
    rule: Rule | UnsetType = UNSET
    severity: Severity


class AlertEscalated(Fact, frozen=True, kw_only=True):
    """Only policies escalate alerts; there is no command for it."""

    alert_id: Uuid
    connection_id: Uuid
    message: str
    rule: Rule
    severity: Severity


class AlertResolved(Fact, frozen=True, kw_only=True):
    """`connection_id` and `rule`: set only if a policy resolved the alert."""

    alert_id: Uuid
    connection_id: Uuid | UnsetType = UNSET
    rule: Rule | UnsetType = UNSET


class SecretRefCreated(Fact, frozen=True, kw_only=True):
    key_name: str
    secret_id_ref: str
    secret_ref_id: Uuid


class SecretRefRotated(Changeable, frozen=True, kw_only=True):
    secret_id_ref: str
    secret_ref_id: Uuid


class SecretRefDeleted(Fact, frozen=True, kw_only=True):
    secret_ref_id: Uuid


ENTRY_DATA: Final[dict[str, type[Fact]]] = {
    "REGISTER_USER": UserRegistered,
    "CREATE_ORG": OrgCreated,
    "RENAME_ORG": OrgRenamed,
    "ADD_MEMBER": MemberAdded,
    "UPDATE_MEMBER": MemberUpdated,
    "REMOVE_MEMBER": MemberRemoved,
    "CREATE_PROJECT": ProjectCreated,
    "RENAME_PROJECT": ProjectRenamed,
    "ADD_PROJECT_MEMBER": ProjectMemberAdded,
    "UPDATE_PROJECT_MEMBER": ProjectMemberUpdated,
    "REMOVE_PROJECT_MEMBER": ProjectMemberRemoved,
    "CREATE_CONNECTION": ConnectionCreated,
    "UPDATE_CONNECTION": ConnectionUpdated,
    "ACTIVATE_CONNECTION": ConnectionActivated,
    "DEACTIVATE_CONNECTION": ConnectionDeactivated,
    "DELETE_CONNECTION": ConnectionDeleted,
    "START_SYNC": SyncStarted,
    "COMPLETE_SYNC": SyncCompleted,
    "FAIL_SYNC": SyncFailed,
    "CANCEL_SYNC": SyncCancelled,
    "RECORD_DLQ_EVENT": DlqEventRecorded,
    "RETRY_DLQ_EVENT": DlqEventRetried,
    "RESOLVE_DLQ_EVENT": DlqEventResolved,
    "RETRY_DLQ_EVENTS": DlqEventsRetried,
    "RESOLVE_DLQ_EVENTS": DlqEventsResolved,
    "RAISE_ALERT": AlertRaised,
    "ESCALATE_ALERT": AlertEscalated,
    "RESOLVE_ALERT": AlertResolved,
    "CREATE_SECRET_REF": SecretRefCreated,
    "ROTATE_SECRET_REF": SecretRefRotated,
    "DELETE_SECRET_REF": SecretRefDeleted,
}
"""All actions, each with the fact of its success entries. A failure's action is the type of its command, so it is one
of these too.
"""

ACTION_OF: Final = {kind: action for action, kind in ENTRY_DATA.items()}

_READERS: Final = {action: (msgspec.json.Decoder(kind).decode, id_reader(kind)) for action, kind in ENTRY_DATA.items()}


def decode_fact(action: str, data: bytes | Raw) -> Fact:
    """Reads a success entry's `data`. Raises KeyError for an unknown action, and ValueError if the data does not have
    the action's shape.
    """
    decode, read_ids = _READERS[action]
    fact = decode(data)
    ids = read_ids(fact)
    if hex_shape(" ".join(ids)) != shape_of_ids(len(ids)):
        raise ValueError("an id in the data is not a UUID in lower case")
    return fact
