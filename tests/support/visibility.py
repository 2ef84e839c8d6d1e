"""The rules for who sees which rows, written a second time, without SQL. Defines rows of two orgs, users with every
pair of roles in the first org, and what each user should see of each table.

Each row has a scope: `project` if it belongs to the project in which the users have their roles, `org` if it belongs to
another project of their org or to the org itself, `foreign` if it belongs to the other org, or `nowhere`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Final

from daybook_infra.runtime.postgres.connections import Connection
from support.planted_rows import Rows, ids, plant

ORG_ROLES: Final = ("owner", "admin", "member", "viewer", None)
PROJECT_ROLES: Final = ("admin", "editor", "viewer", None)
ORG, OTHER_ORG, PROJECT, SIBLING, OTHER_PROJECT = ids(5)
CONNECTIONS: Final = dict(zip((PROJECT, SIBLING, OTHER_PROJECT), ids(3, 10), strict=True))
NEIGHBOUR, STRANGER = ids(2, 20)
"""NEIGHBOUR is a member of the other org, and of the projects that have no other members. STRANGER has no role."""
USERS: Final = dict(zip(product(ORG_ROLES, PROJECT_ROLES), ids(20, 30), strict=True))
SCOPES: Final = {
    None: "nowhere",
    ORG: "org",
    OTHER_ORG: "foreign",
    PROJECT: "project",
    SIBLING: "org",
    OTHER_PROJECT: "foreign",
    CONNECTIONS[PROJECT]: "project",
    CONNECTIONS[SIBLING]: "org",
    CONNECTIONS[OTHER_PROJECT]: "foreign",
}
PLACES: Final = {
    "orgs": "id",
    "org_members": "org_id",
    "projects": "id",
    "project_members": "project_id",
    "source_connections": "project_id",
    "sync_runs": "connection_id",
    "integration_alerts": "project_id",
    "dlq_events": "connection_id",
    "secret_refs": "org_id",
    "audit_log": "coalesce(project_id, org_id)",
}
"""The column that determines a row's scope, for each table."""
Seen = Mapping[str, Counter[str]]
"""The number of rows of each table by scope."""


def expected_scopes(table: str, org_role: str | None, project_role: str | None) -> set[str]:
    whole, project = {"org", "project"}, {"project"}
    is_admin = org_role in {"owner", "admin"}
    match table:
        case "orgs" | "org_members" | "projects":
            return whole if org_role else set()
        case "project_members" | "source_connections" | "sync_runs" | "integration_alerts":
            return whole if is_admin else project if project_role else set()
        case "dlq_events":
            return whole if is_admin else project if project_role in {"admin", "editor"} else set()
        case "secret_refs" | "audit_log":
            return whole if is_admin else set()
        case _:
            raise ValueError(table)


def restrict(everything: Seen, scopes: Mapping[str, Iterable[str]]) -> dict[str, Counter[str]]:
    """The part of `everything` that lies in the scopes given for each table. Omits scopes without rows."""
    return {
        table: Counter({scope: counts[scope] for scope in scopes[table] if counts[scope]})
        for table, counts in everything.items()
    }


async def see(connection: Connection) -> dict[str, Counter[str]]:
    seen = {}
    for table, place in PLACES.items():
        places = await connection.fetch(f"SELECT ({place})::text FROM {table}")
        seen[table] = Counter(SCOPES[row[0]] for row in places)
    return seen


async def plant_both_orgs(owner: Connection) -> None:
    """Inserts the rows of both orgs. The tables must be empty."""
    users = [*USERS.values(), NEIGHBOUR, STRANGER]
    await owner.execute("INSERT INTO auth.users SELECT unnest($1::uuid[]), now()", users)
    await plant(owner, _memberships())
    await plant(owner, _hub())


def _memberships() -> Rows:
    in_org = [(ORG, user, role, "now") for (role, _), user in USERS.items() if role is not None]
    in_project = [(PROJECT, user, role, "now") for (_, role), user in USERS.items() if role is not None]
    return {
        "orgs": [(ORG, "Mine", "now"), (OTHER_ORG, "Other", "now")],
        "org_members": [*in_org, (OTHER_ORG, NEIGHBOUR, "owner", "now")],
        "projects": [
            (PROJECT, ORG, "Mine", "now"),
            (SIBLING, ORG, "Sibling", "now"),
            (OTHER_PROJECT, OTHER_ORG, "Other", "now"),
        ],
        "project_members": [
            *in_project,
            *((project, NEIGHBOUR, "admin", "now") for project in (SIBLING, OTHER_PROJECT)),
        ],
    }


def _hub() -> Rows:
    orgs = {PROJECT: ORG, SIBLING: ORG, OTHER_PROJECT: OTHER_ORG}
    fresh = iter(ids(100, 100))
    logged = [*((orgs[project], project) for project in orgs), (ORG, None), (OTHER_ORG, None), (None, None)]
    return {
        "source_connections": [
            (id_, orgs[project], project, "hotmart", "Shop", {}, True) for project, id_ in CONNECTIONS.items()
        ],
        "sync_runs": [(next(fresh), id_, "running", "now", None, None) for id_ in CONNECTIONS.values()],
        "dlq_events": [(next(fresh), id_, {}, "pending", 0) for id_ in CONNECTIONS.values()],
        "integration_alerts": [(next(fresh), project, "warning", "x") for project in CONNECTIONS],
        "secret_refs": [(next(fresh), org, "key", "env:KEY") for org in (ORG, OTHER_ORG)],
        "audit_log": [
            (next(fresh), org, project, None, "RENAME_ORG", "org", ORG, "success", {}, "now") for org, project in logged
        ],
    }
