"""Makes the SQL of pages and items: a resource and a request in, a statement with its parameters out. Text from a
caller only ever becomes a parameter; the SQL itself is made from resources.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from daybook_projector.read_api.cursors import Values
from daybook_projector.read_api.parameters import Filter
from daybook_projector.read_api.resource import Branches, OwnRows, Resource

# With a filter that no index serves, PostgreSQL looks at no more rows than this for a page. Such a page may have fewer
# items than `limit` although more pages follow.
SCANNED_ROWS: Final = 10_000
# The last possible value in a collection's order, by kind of column and whether the newest come first.
LAST: Final = {
    ("uuid", False): "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ("uuid", True): "00000000-0000-0000-0000-000000000000",
    ("timestamptz", False): "infinity",
    ("timestamptz", True): "-infinity",
}


@dataclass(frozen=True, slots=True)
class PageRequest:
    """`filters`: values by name. `start`: the values of the sort columns in the last row of the previous page.
    `user_id`: the user who asks; None for a service. `orgs`: the orgs that a service may read; None for all.
    """

    ids: Mapping[str, str]
    filters: Mapping[str, Any] = field(default_factory=dict)
    start: Values | None = None
    limit: int = 50
    user_id: str | None = None
    orgs: tuple[str, ...] | None = None


@dataclass(slots=True)
class Statement:
    sql: str = ""
    values: list[Any] = field(default_factory=list)

    def bind(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


def page(resource: Resource, asked: PageRequest, end: Values | None = None, keys: Sequence[str] = ()) -> Statement:
    """Selects the page's rows. `end`: the sort values of the last row that may be looked at. `keys`: the result of the
    SQL from `keys_of_page`.
    """
    statement = Statement()
    match resource.rows:
        case OwnRows() as rows:
            conditions = [_own_condition(rows, asked, statement), *_row_conditions(resource, asked, statement)]
            if end is not None:
                conditions.append(_up_to(resource, end, statement))
        case Branches():
            conditions = [f"t.{resource.key} = ANY ({statement.bind(keys)}::uuid[])"]
    statement.sql = (
        f"SELECT {_columns(resource)} FROM public.{resource.table} AS t WHERE {' AND '.join(conditions)}"  # noqa: S608 - names from resources.py
        f" ORDER BY {_order(resource)} LIMIT {statement.bind(asked.limit)}"
    )
    return statement


def keys_of_page(resource: Resource, asked: PageRequest, statement: Statement) -> str:
    """The SQL expression of an array with the keys of the page's rows, or of NULL if `page` needs no keys. Adds its
    parameters to `statement`. No policy restricts the role that reads the keys, so this SQL itself checks the caller's
    right: once for each parent, whereas a policy would check it for each row.
    """
    match resource.rows:
        case OwnRows():
            return "NULL::uuid[]"
        case Branches() as rows:
            return f"ARRAY({_merged_keys(resource, rows, asked, statement)})"


def window_end(resource: Resource, asked: PageRequest) -> Statement | None:
    """Selects the sort columns of the last row that a page with bounded filters may look at; no row if the collection
    ends earlier. None if the request has no bounded filter.
    """
    if not isinstance(resource.rows, OwnRows) or not any(f.name in asked.filters for f in resource.bounded_filters):
        return None
    statement = Statement()
    conditions = [
        _own_condition(resource.rows, asked, statement),
        *_filter_conditions(resource.filters, asked, statement),
        *_start_condition(resource, asked, statement),
    ]
    statement.sql = (
        f"SELECT {', '.join(f't.{name}' for name, _ in resource.order)} FROM public.{resource.table} AS t"  # noqa: S608 - as above
        f" WHERE {' AND '.join(conditions)} ORDER BY {_order(resource)} OFFSET {SCANNED_ROWS - 1} LIMIT 1"
    )
    return statement


def item(resource: Resource, asked: PageRequest, item_id: str) -> Statement:
    """Selects the row with this id, if it belongs to the org and the project in the path."""
    statement = Statement()
    match resource.rows:
        case OwnRows() as rows:
            source, condition = f"public.{resource.table} AS t", _own_condition(rows, asked, statement)
        case Branches() as rows:
            source = f"public.{resource.table} AS t JOIN public.{rows.parent} AS p ON p.id = t.{rows.parent_key}"
            condition = f"p.org_id = {statement.bind(asked.ids['org_id'])}::uuid"
    statement.sql = (
        f"SELECT {_columns(resource)} FROM {source}"  # noqa: S608 - as above
        f" WHERE {condition} AND t.{resource.key} = {statement.bind(item_id)}::uuid"
    )
    return statement


def _merged_keys(resource: Resource, rows: Branches, asked: PageRequest, statement: Statement) -> str:
    """Selects the page's keys in two steps, both of which read only an index. A page of n rows needs only the n
    branches whose first rows come first. If there are m such branches, each with at least k = ceil(n / m) rows, then
    the page ends no later than the last of the branches' k-th rows. So each branch is read only up to that row.
    """
    parents = [f"p.org_id = {statement.bind(asked.ids['org_id'])}::uuid"]
    parents += _filter_conditions((f for f in resource.filters if "p." in f.condition), asked, statement)
    if asked.user_id is not None:
        parents.append(rows.right.format(user=statement.bind(asked.user_id)))
    chosen = asked.filters.get(rows.column)
    values = statement.bind(list(rows.values) if chosen is None else [chosen])
    inner = [f"t.{rows.parent_key} = b.parent", f"t.{rows.column} = b.value"]
    inner += _filter_conditions((f for f in resource.filters if "t." in f.condition), asked, statement)
    inner += _start_condition(resource, asked, statement)
    limit, order = statement.bind(asked.limit), _order(resource)
    branch = f"FROM public.{resource.table} AS t WHERE {' AND '.join(inner)} ORDER BY {order}"
    first = ", ".join(f"t.{name}" for name, _ in resource.order)
    reverse = ", ".join(f"t.{name}{'' if resource.newest_first else ' DESC'}" for name, _ in resource.order)
    within = _no_later_than_end(resource, first)
    until_end = f"FROM public.{resource.table} AS t WHERE {' AND '.join([*inner, within])} ORDER BY {order}"
    return f"""
WITH b AS MATERIALIZED (
    SELECT b.parent, b.value
    FROM (SELECT p.id AS parent, v.value FROM public.{rows.parent} AS p, unnest({values}::text[]) AS v (value)
          WHERE {" AND ".join(parents)}) AS b
    CROSS JOIN LATERAL (SELECT {first} {branch} LIMIT 1) AS t
    ORDER BY {order} LIMIT {limit}
), m AS MATERIALIZED (
    SELECT {first}, count(*) OVER () AS found
    FROM b CROSS JOIN LATERAL (SELECT {first} {branch} OFFSET (SELECT ({limit} - 1) / count(*) FROM b) LIMIT 1) AS t
    ORDER BY {reverse} LIMIT 1
)
SELECT t.{resource.key} FROM b CROSS JOIN LATERAL (SELECT {first} {until_end} LIMIT {limit}) AS t
ORDER BY {order} LIMIT {limit}"""  # noqa: S608 - as above


def _no_later_than_end(resource: Resource, first: str) -> str:
    """The condition that a row comes no later than `m`, the last row that the page can have. Every row meets the
    condition if a branch has too few rows to determine `m`.
    """
    known = "m.found = (SELECT count(*) FROM b)"
    values = ", ".join(
        f"coalesce((SELECT m.{name} FROM m WHERE {known}), '{LAST[kind, resource.newest_first]}'::{kind})"  # noqa: S608 - as above
        for name, kind in resource.order
    )
    return f"({first}) {'>=' if resource.newest_first else '<='} ({values})"


def _columns(resource: Resource) -> str:
    return ", ".join(f"t.{name}" for name in resource.columns)


def _order(resource: Resource) -> str:
    return ", ".join(f"t.{name}{' DESC' if resource.newest_first else ''}" for name, _ in resource.order)


def _own_condition(rows: OwnRows, asked: PageRequest, statement: Statement) -> str:
    bound = {name: statement.bind(value) for name, value in asked.ids.items() if f"{{{name}}}" in rows.condition}
    if "{orgs}" in rows.condition:
        bound["orgs"] = statement.bind(None if asked.orgs is None else list(asked.orgs))
    return rows.condition.format(**bound)


def _row_conditions(resource: Resource, asked: PageRequest, statement: Statement) -> list[str]:
    return [
        *_filter_conditions(resource.all_filters, asked, statement),
        *_start_condition(resource, asked, statement),
    ]


def _filter_conditions(filters: Iterable[Filter], asked: PageRequest, statement: Statement) -> list[str]:
    given = [each for each in filters if each.name in asked.filters]
    return [each.condition.format(statement.bind(asked.filters[each.name])) for each in given]


def _start_condition(resource: Resource, asked: PageRequest, statement: Statement) -> list[str]:
    return [] if asked.start is None else [_after(resource, asked.start, statement)]


def _after(resource: Resource, row: Values, statement: Statement) -> str:
    """The condition that a row comes after `row` in the collection's order."""
    return _compared(resource, "<" if resource.newest_first else ">", row, statement)


def _up_to(resource: Resource, row: Values, statement: Statement) -> str:
    """The condition that a row comes no later than `row` in the collection's order."""
    return _compared(resource, ">=" if resource.newest_first else "<=", row, statement)


def _compared(resource: Resource, sign: str, row: Values, statement: Statement) -> str:
    names = ", ".join(f"t.{name}" for name, _ in resource.order)
    values = ", ".join(f"{statement.bind(value)}::{kind}" for value, (_, kind) in zip(row, resource.order, strict=True))
    return f"({names}) {sign} ({values})"
