"""Which rows must exist before a row: the foreign keys of the tables, without those to users, who may be in another
partition.
"""

from collections.abc import Mapping
from typing import Final

from daybook_projector.projections.changes import Table
from daybook_projector.projections.connection_activity import CONNECTION_ACTIVITY
from daybook_projector.projections.dlq_events import DLQ_EVENTS
from daybook_projector.projections.integration_alerts import INTEGRATION_ALERTS
from daybook_projector.projections.org_members import ORG_MEMBERS
from daybook_projector.projections.orgs import ORGS
from daybook_projector.projections.project_members import PROJECT_MEMBERS
from daybook_projector.projections.projects import PROJECTS
from daybook_projector.projections.secret_refs import SECRET_REFS
from daybook_projector.projections.source_connections import SOURCE_CONNECTIONS
from daybook_projector.projections.sync_runs import SYNC_RUNS

PARENTS: Final[Mapping[Table, tuple[tuple[str, Table], ...]]] = {
    ORG_MEMBERS: (("org_id", ORGS),),
    PROJECTS: (("org_id", ORGS),),
    PROJECT_MEMBERS: (("project_id", PROJECTS),),
    SECRET_REFS: (("org_id", ORGS),),
    SOURCE_CONNECTIONS: (("org_id", ORGS), ("project_id", PROJECTS)),
    CONNECTION_ACTIVITY: (("connection_id", SOURCE_CONNECTIONS),),
    SYNC_RUNS: (("connection_id", SOURCE_CONNECTIONS),),
    DLQ_EVENTS: (("connection_id", SOURCE_CONNECTIONS),),
    INTEGRATION_ALERTS: (("project_id", PROJECTS),),
}
"""For each table, the columns that refer to a row of another table, each with that table."""
