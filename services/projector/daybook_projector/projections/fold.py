"""The fold of one entry: columns and fact in, the row changes of all tables out. Pure: it does no look-ups."""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final

from daybook_contracts.entries.facts import OrgCreated, ProjectCreated
from daybook_contracts.entries.fields import Changeable, Fact
from daybook_projector.projections import (
    audit_log,
    auth_users,
    connection_activity,
    dlq_events,
    integration_alerts,
    org_members,
    orgs,
    project_members,
    projects,
    secret_refs,
    source_connections,
    sync_runs,
)
from daybook_projector.projections.changes import Change, FoldError, Insert, Table
from daybook_projector.projections.rule import Columns, Rule, Rules

TABLES: Final[tuple[Table, ...]] = (
    auth_users.AUTH_USERS,
    orgs.ORGS,
    org_members.ORG_MEMBERS,
    projects.PROJECTS,
    project_members.PROJECT_MEMBERS,
    secret_refs.SECRET_REFS,
    source_connections.SOURCE_CONNECTIONS,
    connection_activity.CONNECTION_ACTIVITY,
    sync_runs.SYNC_RUNS,
    dlq_events.DLQ_EVENTS,
    integration_alerts.INTEGRATION_ALERTS,
)
"""All tables that the folds write, parents before children."""

AUDITED_TABLES: Final = tuple(table for table in TABLES if table is not connection_activity.CONNECTION_ACTIVITY)
"""The tables that auditors replay, explain and compare with the log. `connection_activity` follows from the others."""

PICKLED: Final[Mapping[str, Table]] = {table.name: table for table in (*TABLES, audit_log.AUDIT_LOG)}
"""By name, the tables that every process has, so that they can be sent to another process."""

RULES: Final[tuple[Rules, ...]] = (
    orgs.RULES,
    org_members.RULES,
    projects.RULES,
    project_members.RULES,
    secret_refs.RULES,
    source_connections.RULES,
    connection_activity.RULES,
    sync_runs.RULES,
    dlq_events.RULES,
    integration_alerts.RULES,
)
"""The rules of all tables except auth.users, which an identity provider may manage."""

Folds = Mapping[type[Fact], tuple[Rule, ...]]


def table_named(name: str) -> Table:
    """Raises `KeyError`."""
    return PICKLED[name]


def folds(*, managed_users: bool) -> Folds:
    """All rules by type of fact. Users are not written if an identity provider manages them."""
    users = auth_users.RULES if managed_users else dict.fromkeys(auth_users.RULES, _no_changes)
    tables = (users, *RULES)
    kinds = dict.fromkeys(chain.from_iterable(tables))
    return {kind: tuple(rules[kind] for rules in tables if kind in rules) for kind in kinds}


def fold(folds: Folds, columns: Columns, fact: Fact | None) -> tuple[Change, ...]:
    """The changes of an entry; `fact` is None for a failure. Raises `FoldError` for a fact without rules."""
    if fact is None:
        return ()
    rules = folds.get(type(fact))
    if rules is None:
        raise FoldError(f"no projection handles {columns.action}")
    if isinstance(fact, Changeable) and fact.changed is False:
        return ()
    return tuple([change for rule in rules for change in rule(columns, fact)])


def key_rows(columns: Columns, fact: Fact | None) -> tuple[Insert, ...]:
    """The rows that an entry of a quarantined org still inserts, because its row in `audit_log` refers to them."""
    match fact:
        case OrgCreated():
            return orgs.created(columns, fact)
        case ProjectCreated():
            return projects.created(columns, fact)
        case _:
            return ()


def _no_changes(_columns: Columns, _fact: Fact) -> Iterable[Change]:
    return ()
