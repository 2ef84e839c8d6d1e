"""Every kind of damage that the owner of the tables can do: an SQL statement for each column and each member of
metadata_json. `Case.damage` is the name used in docs/auditing.md. The table there names the check that finds it first.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from daybook_projector.projections.audit_log import AUDIT_LOG
from daybook_projector.projections.changes import Table
from daybook_projector.projections.connection_activity import CONNECTION_ACTIVITY
from daybook_projector.projections.fold import TABLES
from support.documents import page, section

ALTERED = 40
"""The position of the entry that the cases alter: a success in the middle of the log."""

METADATA = (
    "command_id",
    "commit",
    "data",
    "entries",
    "hash",
    "key",
    "ordinal",
    "partition",
    "position",
    "prev",
    "principal",
    "request",
    "salt",
    "scope",
    "v",
)
OF_MEMBER = {
    "data": "`data` or `salt` in `metadata_json` altered",
    "salt": "`data` or `salt` in `metadata_json` altered",
    "prev": "`prev` in `metadata_json` altered, or two entries swapped",
    "partition": "`partition` or `position` in `metadata_json` altered or removed",
    "position": "`partition` or `position` in `metadata_json` altered or removed",
}
"""The name of the damage, by altered member. For all other members it is ALTERED_ENTRY."""

ALTERED_ENTRY = "a column of `audit_log`, or another member of `metadata_json`, altered"

OTHER = {
    "uuid": "gen_random_uuid()",
    "text": "{column} || 'x'",
    "jsonb": """{column} || '{{"x": 1}}'""",
    "timestamptz": "{column} + interval '1 microsecond'",
    "boolean": "NOT {column}",
    "integer": "{column} + 1",
}
"""By SQL type, an expression for another value of a column."""

ALLOWED = {
    "role": "CASE {column}::text WHEN 'viewer' THEN 'admin' ELSE 'viewer' END",
    "severity": "CASE {column} WHEN 'info' THEN 'warning' ELSE 'info' END",
    "status": "CASE {column} WHEN 'resolved' THEN 'pending' WHEN 'failed' THEN 'success' WHEN 'pending' THEN 'resolved'"
    " ELSE 'failed' END",
    "result": "CASE {column} WHEN 'success' THEN 'failure' ELSE 'success' END",
    "payload_json": "'null'",
    "finished_at": "coalesce({column}, '2026-01-01') + interval '1 microsecond'",
    "error_message": "coalesce({column}, '') || 'x'",
}
"""By column name, expressions used instead of OTHER's: the column has a constraint, may be NULL, or holds JSON that may
not be an object.
"""


@dataclass(frozen=True, slots=True)
class Case:
    """`places`: where the first finding may be: (`audit_log`, position), or (another table, None)."""

    damage: str
    name: str
    statement: str
    places: tuple[tuple[str, int | None], ...]
    field: str | None = None

    def __str__(self) -> str:
        return self.name


def at_position(position: int) -> str:
    return f"(metadata_json->>'position')::int = {position}"


PLACE = (("audit_log", ALTERED),)
WHERE_ALTERED = f"WHERE {at_position(ALTERED)}"
COLUMNS = "id, org_id, project_id, actor_user_id, action, entity_type, entity_id, result, metadata_json, created_at"
COLUMNS_WITH_NEW_ID = COLUMNS.replace("id, org_id", "gen_random_uuid(), org_id", 1)
SWAPPED = "jsonb_set(metadata_json, '{position}', to_jsonb(81 - (metadata_json->>'position')::int))"
NO_DOUBLE = "jsonb_set(metadata_json, '{data,x}', '1.00000000000000000001')"

WHOLE_ROWS = [
    ("a row of `audit_log` deleted", "a row deleted", f"DELETE FROM audit_log {WHERE_ALTERED}"),
    (
        "a row of `audit_log` added",
        "a row added",
        f"INSERT INTO audit_log ({COLUMNS}) SELECT {COLUMNS_WITH_NEW_ID} FROM audit_log {WHERE_ALTERED}",
    ),
    (
        OF_MEMBER["prev"],
        "two rows swapped",
        f"UPDATE audit_log SET metadata_json = {SWAPPED} WHERE (metadata_json->>'position')::int IN (40, 41)",
    ),
    (
        "a number in `audit_log` replaced by one that is not a double",
        "a number in another form",
        f"UPDATE audit_log SET metadata_json = {NO_DOUBLE} {WHERE_ALTERED}",
    ),
    (
        OF_MEMBER["partition"],
        "a row without a place",
        f"UPDATE audit_log SET metadata_json = metadata_json - 'partition' {WHERE_ALTERED}",
    ),
]
"""Each line: the damage, the name of the case, and its statement."""


def audit_log_cases() -> Iterator[Case]:
    for column in AUDIT_LOG.columns:
        if column != "metadata_json":
            statement = f"UPDATE audit_log SET {column} = {other(AUDIT_LOG, column)} {WHERE_ALTERED}"
            yield Case(ALTERED_ENTRY, f"audit_log.{column}", statement, PLACE)
    for member in METADATA:
        value = f"jsonb_set(metadata_json, '{{{member}}}', {changed(member)})"
        statement = f"UPDATE audit_log SET metadata_json = {value} {WHERE_ALTERED}"
        damage = OF_MEMBER.get(member, ALTERED_ENTRY)
        yield Case(damage, f"audit_log.metadata_json.{member}", statement, PLACE)
    for damage, name, statement in WHOLE_ROWS:
        yield Case(damage, f"audit_log: {name}", statement, PLACE)


def table_cases() -> list[Case]:
    cases = []
    for table in TABLES:
        place = ((table.name.removeprefix("public."), None),)
        for column in table.columns:
            changes = f"UPDATE {table.name} SET {column} = {other(table, column)} WHERE {first_row(table)}"
            field = None if column in table.key else column
            damage = _damage(table, f"a {'value' if field else 'key'} in another table altered")
            cases.append(Case(damage, f"{table.name}.{column}", changes, place, field))
        cases.append(
            Case(
                _damage(table, "a row of another table deleted"),
                f"{table.name}: a row deleted",
                f"DELETE FROM {table.name} WHERE {first_row(table)}",
                place,
            )
        )
        values = ", ".join("gen_random_uuid()" if column in table.key else column for column in table.columns)
        if table.unique:
            values = values.replace("key_name", "key_name || 'x'")
        cases.append(
            Case(
                _damage(table, "a row of another table added"),
                f"{table.name}: a row added",
                f"INSERT INTO {table.name} SELECT {values} FROM {table.name} WHERE {first_row(table)}",
                place,
            )
        )
    return cases


def _damage(table: Table, damage: str) -> str:
    """The name of the damage in docs/auditing.md."""
    is_counted = table is CONNECTION_ACTIVITY
    return "a row of `daybook.connection_activity` altered, deleted or added" if is_counted else damage


def first_row(table: Table) -> str:
    key = ", ".join(table.key)
    return f"({key}) = (SELECT {key} FROM {table.name} ORDER BY {key} LIMIT 1)"


def other(table: Table, column: str) -> str:
    expression = ALLOWED.get(column, OTHER.get(table.columns[column], "NULL"))
    cast = "::org_role" if table.columns[column].endswith("org_role") else ""
    return f"({expression.format(column=column)}){cast}"


def changed(member: str) -> str:
    value = f"metadata_json->'{member}'"
    return (
        f"CASE jsonb_typeof({value}) WHEN 'number' THEN to_jsonb(({value})::int + 1)"
        f""" WHEN 'object' THEN {value} || '{{"x": 1}}' ELSE to_jsonb(reverse({value} #>> '{{}}')) END"""
    )


def checks_of_the_page() -> dict[str, set[str]]:
    """For each damage, the checks that may find it first, as docs/auditing.md says."""
    table = section(page("docs/auditing.md"), "What is found, and what is not").split("\n\n")[1]
    cells = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    return {damage: {check.strip("`") for check in checks.split(", ")} for damage, checks, _ in cells}
