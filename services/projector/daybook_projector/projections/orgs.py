"""orgs: one row per org."""

from collections.abc import Iterable

from daybook_contracts.entries.facts import OrgCreated, OrgRenamed
from daybook_projector.projections.changes import Change, Insert, Table, Update
from daybook_projector.projections.rule import Columns, Rules

ORGS = Table("public.orgs", key=("id",), columns={"id": "uuid", "name": "text", "created_at": "timestamptz"})


def created(entry: Columns, fact: OrgCreated) -> tuple[Insert]:
    return (Insert(ORGS, {"id": entry.org_id, "name": fact.name, "created_at": entry.created_at}),)


def renamed(entry: Columns, fact: OrgRenamed) -> Iterable[Change]:
    return (Update(ORGS, (entry.org_id,), {"name": fact.name}),)


RULES: Rules = {OrgCreated: created, OrgRenamed: renamed}
