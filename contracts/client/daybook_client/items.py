"""The items of the read API, with a field for each column. A test compares these classes with the models of the API."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

OrgRole = Literal["owner", "admin", "member", "viewer"]
ProjectRole = Literal["admin", "editor", "viewer"]
RunStatus = Literal["running", "success", "failed", "cancelled"]
DeadLetterStatus = Literal["pending", "resolved"]
Severity = Literal["critical", "warning", "info"]
EntryResult = Literal["success", "failure"]


class Org(Struct, frozen=True):
    id: UUID
    name: str
    created_at: datetime


class Member(Struct, frozen=True):
    org_id: UUID
    user_id: UUID
    role: OrgRole
    created_at: datetime


class Project(Struct, frozen=True):
    id: UUID
    org_id: UUID
    name: str
    created_at: datetime


class ProjectMember(Struct, frozen=True):
    project_id: UUID
    user_id: UUID
    role: ProjectRole
    created_at: datetime


class Connection(Struct, frozen=True):
    id: UUID
    org_id: UUID
    project_id: UUID
    type: str
    name: str
    config_json: Any
    is_active: bool


class SyncRun(Struct, frozen=True):
    id: UUID
    connection_id: UUID
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None
    error_message: str | None


class DeadLetter(Struct, frozen=True):
    id: UUID
    connection_id: UUID
    payload_json: Any
    status: DeadLetterStatus
    retry_count: int


class Alert(Struct, frozen=True):
    id: UUID
    project_id: UUID
    severity: Severity
    message: str


class SecretRef(Struct, frozen=True):
    id: UUID
    org_id: UUID
    key_name: str
    secret_id_ref: str


class LogEntry(Struct, frozen=True):
    id: UUID
    org_id: UUID | None
    project_id: UUID | None
    actor_user_id: UUID | None
    action: str
    entity_type: str
    entity_id: UUID
    result: EntryResult
    metadata_json: Any
    created_at: datetime

    @property
    def position(self) -> str:
        """The entry's place in the log, such as `3.1042`."""
        return f"{self.metadata_json['partition']}.{self.metadata_json['position']}"

    @property
    def checkpoint(self) -> str:
        """The `after` with which `tail` continues after this entry: the position, and over Kafka more than that."""
        return self.position
