"""A class for each command, with the fields of its data as keyword arguments.

Written by `python contracts/client/generate_commands.py` from the models in the contracts: do not edit. Over 250 lines,
because all commands are in one module, so that editors complete `commands.` to all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from daybook_client.command import Command, Creates, Id
from daybook_client.ids import uuid7


@dataclass(frozen=True, kw_only=True, slots=True)
class PendingFilter:
    """Pending dead letters in ascending order of their ids, at most 1000.

    max_retry_count: Only those with at most this retry count.
    """

    max_retry_count: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisterUser(Creates):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateOrg(Creates):
    """Creates the org `org_id`, with the actor as its first owner.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "CREATE_ORG"
    NEW_ID: ClassVar[str] = "org_id"

    org_id: Id
    name: str
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


@dataclass(frozen=True, kw_only=True, slots=True)
class RenameOrg(Command):
    """Renames the org.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "RENAME_ORG"

    org_id: Id
    name: str
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


@dataclass(frozen=True, kw_only=True, slots=True)
class AddMember(Command):
    """Adds a registered user to the org.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "ADD_MEMBER"

    org_id: Id
    user_id: Id
    role: Literal["owner", "admin", "member", "viewer"]
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateMember(Command):
    """Changes a member's role. A member who becomes a viewer becomes one in the projects too.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "UPDATE_MEMBER"

    org_id: Id
    user_id: Id
    role: Literal["owner", "admin", "member", "viewer"]
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveMember(Command):
    """Removes a member from the org and its projects. Everybody may leave, except the last owner.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "REMOVE_MEMBER"

    org_id: Id
    user_id: Id
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateProject(Creates):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class RenameProject(Command):
    """Renames a project.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "RENAME_PROJECT"

    org_id: Id
    project_id: Id
    name: str
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


@dataclass(frozen=True, kw_only=True, slots=True)
class AddProjectMember(Command):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateProjectMember(Command):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveProjectMember(Command):
    """Removes a member from a project.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "REMOVE_PROJECT_MEMBER"

    org_id: Id
    project_id: Id
    user_id: Id
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateConnection(Creates):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateConnection(Command):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ActivateConnection(Command):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class DeactivateConnection(Command):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteConnection(Command):
    """Deletes a connection without a running sync, and its runs and dead letters.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "DELETE_CONNECTION"

    org_id: Id
    connection_id: Id
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


@dataclass(frozen=True, kw_only=True, slots=True)
class StartSync(Creates):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class CompleteSync(Command):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class FailSync(Command):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class CancelSync(Command):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordDlqEvent(Creates):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryDlqEvent(Command):
    """Counts one more retry of a pending dead letter.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "RETRY_DLQ_EVENT"

    org_id: Id
    dlq_event_id: Id
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolveDlqEvent(Command):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryDlqEvents(Command):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolveDlqEvents(Command):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class RaiseAlert(Creates):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolveAlert(Command):
    """Resolves an alert. It remains only in the log.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "RESOLVE_ALERT"

    org_id: Id
    alert_id: Id
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateSecretRef(Creates):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class RotateSecretRef(Command):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteSecretRef(Command):
    """Deletes a reference that no connection uses.

    actor_user_id: The user who acts; null if a service acts.
    """

    TYPE: ClassVar[str] = "DELETE_SECRET_REF"

    org_id: Id
    secret_ref_id: Id
    actor_user_id: Id | None = None
    id: str = field(default_factory=uuid7)
