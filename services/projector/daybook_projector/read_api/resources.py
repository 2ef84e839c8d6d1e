"""Lists every collection of the read API. The routes, the SQL and the OpenAPI document are made from this list."""

from typing import Final

from daybook_projector.read_api.models import (
    AlertItem,
    ConnectionItem,
    DeadLetterItem,
    DeadLetterStatus,
    EntryItem,
    EntryResult,
    MemberItem,
    OrgItem,
    OrgRole,
    ProjectItem,
    ProjectMemberItem,
    ProjectRole,
    RunStatus,
    SecretRefItem,
    Severity,
    SyncRunItem,
)
from daybook_projector.read_api.parameters import Filter, TimeParameter, UuidParameter, WordParameter
from daybook_projector.read_api.resource import Branches, OwnRows, Resource

ORG: Final = "/v1/orgs/{org_id}"
PROJECT: Final = Filter("project", UuidParameter, "p.project_id = {}::uuid", "Returns only items of this project.")
OWN_PROJECT: Final = Filter("project", UuidParameter, "t.project_id = {}::uuid", PROJECT.description)
CONNECTION: Final = Filter("connection", UuidParameter, "p.id = {}::uuid", "Returns only items of this connection.")
OF_ORG: Final = OwnRows("t.org_id = {org_id}::uuid")

# These sub-selects use no column of the row, as in the policies, so each runs only once per statement.
_OWNER_OR_ADMIN: Final = (
    "p.org_id = ANY (ARRAY(SELECT m.org_id FROM public.org_members AS m"
    " WHERE m.user_id = {user}::uuid AND m.role IN ('owner', 'admin')))"
)
_MY_PROJECTS: Final = "ANY (ARRAY(SELECT m.project_id FROM public.project_members AS m WHERE m.user_id = {user}::uuid))"
_MY_EDITED_PROJECTS: Final = (
    "ANY (ARRAY(SELECT m.project_id FROM public.project_members AS m"
    " WHERE m.user_id = {user}::uuid AND m.role IN ('admin', 'editor')))"
)
RUN_STATUSES: Final = ("running", "success", "failed", "cancelled")


def _time_filters(column: str) -> tuple[Filter, Filter]:
    return (
        Filter("since", TimeParameter, f"t.{column} >= {{}}::timestamptz", "Returns only items from this time on."),
        Filter("until", TimeParameter, f"t.{column} < {{}}::timestamptz", "Returns only items before this time."),
    )


def _role(type_: object, sql_type: str) -> Filter:
    return Filter("role", type_, f"t.role = {{}}::{sql_type}", "Returns only members with this role.")


RESOURCES: Final = (
    Resource(
        path="/v1/orgs",
        item_id="org_id",
        title="orgs",
        noun="an org",
        table="orgs",
        model=OrgItem,
        rows=OwnRows("({orgs}::uuid[] IS NULL OR t.id = ANY ({orgs}::uuid[]))"),
    ),
    Resource(
        path=f"{ORG}/members",
        item_id="user_id",
        title="members of an org",
        noun="a member of an org",
        table="org_members",
        model=MemberItem,
        rows=OF_ORG,
        key="user_id",
        order=(("user_id", "uuid"),),
        filters=(_role(OrgRole, "public.org_role"),),
    ),
    Resource(
        path=f"{ORG}/projects",
        item_id="project_id",
        title="projects",
        noun="a project",
        table="projects",
        model=ProjectItem,
        rows=OF_ORG,
    ),
    Resource(
        path=f"{ORG}/projects/{{project_id}}/members",
        item_id="user_id",
        title="members of a project",
        noun="a member of a project",
        table="project_members",
        model=ProjectMemberItem,
        rows=OwnRows(
            "t.project_id = {project_id}::uuid AND EXISTS (SELECT FROM public.projects AS o"
            " WHERE o.id = {project_id}::uuid AND o.org_id = {org_id}::uuid)"
        ),
        key="user_id",
        order=(("user_id", "uuid"),),
        filters=(_role(ProjectRole, "text"),),
    ),
    Resource(
        path=f"{ORG}/connections",
        item_id="connection_id",
        title="connections",
        noun="a connection",
        table="source_connections",
        model=ConnectionItem,
        rows=OF_ORG,
        filters=(
            OWN_PROJECT,
            Filter("type", WordParameter, "t.type = {}", "Returns only connections of this type."),
            Filter("active", bool, "t.is_active = {}", "Returns only active connections, or only inactive ones."),
        ),
        has_large_rows=True,
    ),
    Resource(
        path=f"{ORG}/sync-runs",
        item_id="sync_run_id",
        title="sync runs",
        noun="a sync run",
        table="sync_runs",
        model=SyncRunItem,
        rows=Branches(
            parent="source_connections",
            parent_key="connection_id",
            column="status",
            values=RUN_STATUSES,
            right=f"(p.project_id = {_MY_PROJECTS} OR {_OWNER_OR_ADMIN})",
        ),
        order=(("started_at", "timestamptz"), ("id", "uuid")),
        newest_first=True,
        filters=(
            PROJECT,
            CONNECTION,
            Filter("status", RunStatus, "", "Returns only sync runs with this status."),
            *_time_filters("started_at"),
        ),
    ),
    Resource(
        path=f"{ORG}/dead-letters",
        item_id="dead_letter_id",
        title="dead letters",
        noun="a dead letter",
        table="dlq_events",
        model=DeadLetterItem,
        rows=Branches(
            parent="source_connections",
            parent_key="connection_id",
            column="status",
            values=("pending", "resolved"),
            right=f"(p.project_id = {_MY_EDITED_PROJECTS} OR {_OWNER_OR_ADMIN})",
        ),
        filters=(
            PROJECT,
            CONNECTION,
            Filter("status", DeadLetterStatus, "", "Returns only dead letters with this status."),
        ),
        has_large_rows=True,
    ),
    Resource(
        path=f"{ORG}/alerts",
        item_id="alert_id",
        title="open alerts",
        noun="an open alert",
        table="integration_alerts",
        model=AlertItem,
        rows=Branches(
            parent="projects",
            parent_key="project_id",
            column="severity",
            values=("critical", "warning", "info"),
            right=f"(p.id = {_MY_PROJECTS} OR {_OWNER_OR_ADMIN})",
        ),
        filters=(
            Filter("project", UuidParameter, "p.id = {}::uuid", PROJECT.description),
            Filter("severity", Severity, "", "Returns only alerts of this severity."),
        ),
    ),
    Resource(
        path=f"{ORG}/secret-refs",
        item_id="secret_ref_id",
        title="secret references",
        noun="a secret reference",
        table="secret_refs",
        model=SecretRefItem,
        rows=OF_ORG,
    ),
    Resource(
        path=f"{ORG}/audit-log",
        item_id="entry_id",
        title="entries of the log",
        noun="an entry of the log",
        table="audit_log",
        model=EntryItem,
        rows=OF_ORG,
        order=(("created_at", "timestamptz"), ("id", "uuid")),
        newest_first=True,
        filters=_time_filters("created_at"),
        bounded_filters=(
            Filter(
                "action", WordParameter, "t.action = {}", "Returns only entries with this action, such as ADD_MEMBER."
            ),
            Filter(
                "result",
                EntryResult,
                "t.result = {}",
                "Returns only entries of accepted commands, or only of rejected ones.",
            ),
            Filter(
                "actor", UuidParameter, "t.actor_user_id = {}::uuid", "Returns only entries of commands by this user."
            ),
            Filter(
                "entity_type", WordParameter, "t.entity_type = {}", "Returns only entries about things of this type."
            ),
            Filter(
                "entity", UuidParameter, "t.entity_id = {}::uuid", "Returns only entries about the thing with this id."
            ),
            OWN_PROJECT,
        ),
        has_large_rows=True,
    ),
)
AUDIT_LOG: Final = RESOURCES[-1]
