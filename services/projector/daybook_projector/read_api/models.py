"""The items of the read API as pydantic models: a field for each column of the table, in order. The OpenAPI document
is made from them. Answers are written by encoding.py.
"""

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue

ORG: Final = "0199f000-0000-7000-8000-00000000b00c"
USER: Final = "0199f000-0000-7000-8000-000000000ada"
PROJECT: Final = "a573b2a1-d5c1-838e-ab6b-5c4b70e3c6b8"
CONNECTION: Final = "3d55d3b8-9aa0-8d00-a991-45387834dfe7"
SYNC_RUN: Final = "24f87e5e-46d2-8ba5-9c0b-d45a12d5eb79"
DEAD_LETTER: Final = "6f1c2a90-0f5e-8c3d-9b7a-1d2c3b4a5f60"
ALERT: Final = "e7df5427-3884-59be-9173-a9b4350aa72c"
SECRET_REF: Final = "b0a4f6de-7c21-8f0a-8e55-90d3c2b1a7f4"  # noqa: S105 - an id
ENTRY: Final = "0199f000-0000-8561-aaa1-8aa0eb0c829d"
TIME: Final = "2026-11-22T15:10:13.123456Z"

OrgRole = Literal["owner", "admin", "member", "viewer"]
ProjectRole = Literal["admin", "editor", "viewer"]
RunStatus = Literal["running", "success", "failed", "cancelled"]
DeadLetterStatus = Literal["pending", "resolved"]
Severity = Literal["critical", "warning", "info"]
EntryResult = Literal["success", "failure"]


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"example": values})


class OrgItem(Item):
    model_config = _example(id=ORG, name="Harbour Books", created_at=TIME)

    id: UUID
    name: str
    created_at: datetime


class MemberItem(Item):
    model_config = _example(org_id=ORG, user_id=USER, role="admin", created_at=TIME)

    org_id: UUID
    user_id: UUID
    role: OrgRole
    created_at: datetime


class ProjectItem(Item):
    model_config = _example(id=PROJECT, org_id=ORG, name="Storefront", created_at=TIME)

    id: UUID
    org_id: UUID
    name: str
    created_at: datetime


class ProjectMemberItem(Item):
    model_config = _example(project_id=PROJECT, user_id=USER, role="editor", created_at=TIME)

    project_id: UUID
    user_id: UUID
    role: ProjectRole
    created_at: datetime


class ConnectionItem(Item):
    model_config = _example(
        id=CONNECTION,
        org_id=ORG,
        project_id=PROJECT,
        type="hotmart",
        name="Shop",
        config_json={"environment": "sandbox", "secrets": {"hottok": "shop hottok"}},
        is_active=True,
    )

    id: UUID
    org_id: UUID
    project_id: UUID
    type: str
    name: str
    config_json: JsonValue
    is_active: bool


class SyncRunItem(Item):
    model_config = _example(
        id=SYNC_RUN,
        connection_id=CONNECTION,
        status="failed",
        started_at=TIME,
        finished_at="2026-11-22T15:10:14.000001Z",
        error_message="the shop is closed",
    )

    id: UUID
    connection_id: UUID
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None
    error_message: str | None


class DeadLetterItem(Item):
    model_config = _example(
        id=DEAD_LETTER, connection_id=CONNECTION, payload_json={"order": 17}, status="pending", retry_count=1
    )

    id: UUID
    connection_id: UUID
    payload_json: JsonValue
    status: DeadLetterStatus
    retry_count: int


class AlertItem(Item):
    model_config = _example(
        id=ALERT, project_id=PROJECT, severity="warning", message="The last sync of this connection failed."
    )

    id: UUID
    project_id: UUID
    severity: Severity
    message: str


class SecretRefItem(Item):
    model_config = _example(
        id=SECRET_REF,
        org_id=ORG,
        key_name="shop hottok",
        secret_id_ref="vault:kv/shop#hottok",  # noqa: S106 - a reference, not a secret
    )

    id: UUID
    org_id: UUID
    key_name: str
    secret_id_ref: str


class EntryItem(Item):
    model_config = _example(
        id=ENTRY,
        org_id=ORG,
        project_id=None,
        actor_user_id=USER,
        action="ADD_MEMBER",
        entity_type="org_member",
        entity_id=USER,
        result="success",
        metadata_json={"v": 1, "partition": 4, "position": 1, "data": {"user_id": USER, "role": "admin"}},
        created_at=TIME,
    )

    id: UUID
    org_id: UUID | None
    project_id: UUID | None
    actor_user_id: UUID | None
    action: str
    entity_type: str
    entity_id: UUID
    result: EntryResult
    metadata_json: JsonValue
    created_at: datetime
