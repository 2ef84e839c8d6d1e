"""A class for each command, with the fields of its data as keyword arguments.

Written by `python contracts/client/generate_commands.py` from the models in the contracts: do not edit. Over 250 lines,
because all commands are in one module, so that editors complete `commands.` to all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from msgspec import Struct, field

from daybook_client.command import Command, Creates, Id
from daybook_client.ids import uuid7


class PendingFilter(Struct, frozen=True, kw_only=True):
    """Pending dead letters in ascending order of their ids, at most 1000.

    max_retry_count: Only those with at most this retry count.
    """

    max_retry_count: int | None = None


class RegisterUser(Creates, frozen=True, kw_only=True):
    """Registers a user. Only if Daybook manages users itself.

    user_id: The user's id, as the identity provider has it; also the Kafka key.
    actor_user_id: The user itself; null if a service acts.
    """

    TYPE: ClassVar[str] = "REGISTER_USER"
    KEY: ClassVar[str] = "user_id"
    NEW_ID: ClassVar[str] = "user_id"

    user_id: Id
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class CreateOrg(Creates, frozen=True, kw_only=True):
    """Creates the org `org_id`, with the actor as its first owner.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "CREATE_ORG"
    NEW_ID: ClassVar[str] = "org_id"

    org_id: Id
    name: str
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class RenameOrg(Command, frozen=True, kw_only=True):
    """Renames the org.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "RENAME_ORG"

    org_id: Id
    name: str
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class AddMember(Command, frozen=True, kw_only=True):
    """Adds a registered user to the org.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "ADD_MEMBER"

    org_id: Id
    user_id: Id
    role: Literal["owner", "admin", "member", "viewer"]
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class UpdateMember(Command, frozen=True, kw_only=True):
    """Changes a member's role. A member who becomes a viewer becomes one in the projects too.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "UPDATE_MEMBER"

    org_id: Id
    user_id: Id
    role: Literal["owner", "admin", "member", "viewer"]
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class RemoveMember(Command, frozen=True, kw_only=True):
    """Removes a member from the org and its projects. Everybody may leave, except the last owner.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "REMOVE_MEMBER"

    org_id: Id
    user_id: Id
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class CreateProject(Creates, frozen=True, kw_only=True):
    """Creates a project in the org.

    project_id: Chosen by services only; by default computed from org and command.
    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "CREATE_PROJECT"
    NEW_ID: ClassVar[str] = "project_id"

    org_id: Id
    name: str
    project_id: Id | None = None
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class RenameProject(Command, frozen=True, kw_only=True):
    """Renames a project.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "RENAME_PROJECT"

    org_id: Id
    project_id: Id
    name: str
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class AddProjectMember(Command, frozen=True, kw_only=True):
    """Adds a member of the org to a project. A viewer of the org can only be a viewer.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "ADD_PROJECT_MEMBER"

    org_id: Id
    project_id: Id
    user_id: Id
    role: Literal["admin", "editor", "viewer"]
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class UpdateProjectMember(Command, frozen=True, kw_only=True):
    """Changes a project member's role.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "UPDATE_PROJECT_MEMBER"

    org_id: Id
    project_id: Id
    user_id: Id
    role: Literal["admin", "editor", "viewer"]
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class RemoveProjectMember(Command, frozen=True, kw_only=True):
    """Removes a member from a project.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "REMOVE_PROJECT_MEMBER"

    org_id: Id
    project_id: Id
    user_id: Id
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class CreateConnection(Creates, frozen=True, kw_only=True):
    """Connects a project to a source. The connection is active at once.

    connection_id: Chosen by services only; by default computed from org and command.
    type: `hotmart`, `meta_ads` or another source's name.
    config: Depends on the connection's type. `secrets` maps a purpose to the key_name of a secret reference.
    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "CREATE_CONNECTION"
    NEW_ID: ClassVar[str] = "connection_id"

    org_id: Id
    project_id: Id
    connection_id: Id | None = None
    type: str
    name: str
    config: Mapping[str, Any]
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class UpdateConnection(Command, frozen=True, kw_only=True):
    """Changes a connection's name, config or both.

    config: Depends on the connection's type. `secrets` maps a purpose to the key_name of a secret reference. It is
        replaced whole.
    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "UPDATE_CONNECTION"

    org_id: Id
    connection_id: Id
    name: str | None = None
    config: Mapping[str, Any] | None = None
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class ActivateConnection(Command, frozen=True, kw_only=True):
    """Activates a connection: it may start syncs again.

    reason: Free text. Secrets in it become `[redacted]`.
    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "ACTIVATE_CONNECTION"

    org_id: Id
    connection_id: Id
    reason: str | None = None
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class DeactivateConnection(Command, frozen=True, kw_only=True):
    """Deactivates a connection: it starts no syncs. A running sync continues.

    reason: Free text. Secrets in it become `[redacted]`.
    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "DEACTIVATE_CONNECTION"

    org_id: Id
    connection_id: Id
    reason: str | None = None
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class DeleteConnection(Command, frozen=True, kw_only=True):
    """Deletes a connection without a running sync, and its runs and dead letters.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "DELETE_CONNECTION"

    org_id: Id
    connection_id: Id
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class StartSync(Creates, frozen=True, kw_only=True):
    """Starts a sync run. An active connection has at most one at a time.

    sync_run_id: Chosen by services only; by default computed from org and command.
    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "START_SYNC"
    NEW_ID: ClassVar[str] = "sync_run_id"

    org_id: Id
    connection_id: Id
    sync_run_id: Id | None = None
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class CompleteSync(Command, frozen=True, kw_only=True):
    """Completes a running sync.

    stats: Any object of at most 64 KiB; secrets in it become `[redacted]`.
    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "COMPLETE_SYNC"

    org_id: Id
    sync_run_id: Id
    stats: Mapping[str, Any] | None = None
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class FailSync(Command, frozen=True, kw_only=True):
    """Fails a running sync; may raise an alert.

    error_message: What went wrong. Secrets in it become `[redacted]`.
    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "FAIL_SYNC"

    org_id: Id
    sync_run_id: Id
    error_message: str
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class CancelSync(Command, frozen=True, kw_only=True):
    """Cancels a running sync.

    reason: Free text. Secrets in it become `[redacted]`.
    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "CANCEL_SYNC"

    org_id: Id
    sync_run_id: Id
    reason: str | None = None
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class RecordDlqEvent(Creates, frozen=True, kw_only=True):
    """Records a pending dead letter, for inactive connections too.

    dlq_event_id: Chosen by services only; by default computed from org and command.
    payload: The event: any JSON of at most 64 KiB, or a string if it is not JSON. `hottok` is removed.
    error: Why the event could not be processed. Secrets in it become `[redacted]`.
    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "RECORD_DLQ_EVENT"
    NEW_ID: ClassVar[str] = "dlq_event_id"

    org_id: Id
    connection_id: Id
    dlq_event_id: Id | None = None
    payload: Any
    error: str | None = None
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class RetryDlqEvent(Command, frozen=True, kw_only=True):
    """Counts one more retry of a pending dead letter.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "RETRY_DLQ_EVENT"

    org_id: Id
    dlq_event_id: Id
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class ResolveDlqEvent(Command, frozen=True, kw_only=True):
    """Resolves a pending dead letter.

    reason: Free text. Secrets in it become `[redacted]`.
    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "RESOLVE_DLQ_EVENT"

    org_id: Id
    dlq_event_id: Id
    resolution: Literal["replayed", "manual", "duplicate", "discarded"]
    reason: str | None = None
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class RetryDlqEvents(Command, frozen=True, kw_only=True):
    """Counts one more retry of many dead letters. Resolved ones are skipped.

    ids: Dead letters of the connection. Duplicate ids count once.
    filter: Either ids or a filter, never both.
    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "RETRY_DLQ_EVENTS"

    org_id: Id
    connection_id: Id
    ids: Sequence[Id] | None = None
    filter: PendingFilter | None = None
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class ResolveDlqEvents(Command, frozen=True, kw_only=True):
    """Resolves many dead letters. Resolved ones are skipped.

    ids: Dead letters of the connection. Duplicate ids count once.
    filter: Either ids or a filter, never both.
    reason: Free text. Secrets in it become `[redacted]`.
    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "RESOLVE_DLQ_EVENTS"

    org_id: Id
    connection_id: Id
    ids: Sequence[Id] | None = None
    filter: PendingFilter | None = None
    resolution: Literal["replayed", "manual", "duplicate", "discarded"]
    reason: str | None = None
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class RaiseAlert(Creates, frozen=True, kw_only=True):
    """Raises an alert by hand. Policies raise theirs without a command.

    alert_id: Chosen by services only; by default computed from org and command.
    connection_id: A connection of the project, if it is about one.
    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "RAISE_ALERT"
    NEW_ID: ClassVar[str] = "alert_id"

    org_id: Id
    alert_id: Id | None = None
    project_id: Id
    connection_id: Id | None = None
    severity: Literal["critical", "warning", "info"]
    message: str
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class ResolveAlert(Command, frozen=True, kw_only=True):
    """Resolves an alert. It remains only in the log.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "RESOLVE_ALERT"

    org_id: Id
    alert_id: Id
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class CreateSecretRef(Creates, frozen=True, kw_only=True):
    """Names a secret of the org.

    secret_ref_id: Chosen by services only; by default computed from org and command.
    key_name: Unique in the org; configs refer to it.
    secret_id_ref: Where the secret is stored; never the secret itself.
    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "CREATE_SECRET_REF"
    NEW_ID: ClassVar[str] = "secret_ref_id"

    org_id: Id
    secret_ref_id: Id | None = None
    key_name: str
    secret_id_ref: str
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class RotateSecretRef(Command, frozen=True, kw_only=True):
    """Changes where a reference's secret is stored.

    secret_id_ref: Where the secret is stored; never the secret itself.
    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "ROTATE_SECRET_REF"

    org_id: Id
    secret_ref_id: Id
    secret_id_ref: str
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


class DeleteSecretRef(Command, frozen=True, kw_only=True):
    """Deletes a reference that no connection uses.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "DELETE_SECRET_REF"

    org_id: Id
    secret_ref_id: Id
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)
