"""auth.users in managed mode: one row per registered user. With an external identity provider, the projector does not
write this table.
"""

from collections.abc import Iterable

from daybook_contracts.entries.facts import UserRegistered
from daybook_projector.projections.changes import Change, Insert, Table
from daybook_projector.projections.rule import Columns, Rules

AUTH_USERS = Table("auth.users", key=("id",), columns={"id": "uuid", "created_at": "timestamptz"})


def registered(entry: Columns, fact: UserRegistered) -> Iterable[Change]:
    return (Insert(AUTH_USERS, {"id": fact.user_id, "created_at": entry.created_at}),)


RULES: Rules = {UserRegistered: registered}
