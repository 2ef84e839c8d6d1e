"""What a collection of the read API is made of: its table, its order, where its rows belong, and its filters."""

from dataclasses import dataclass
from typing import Literal

from daybook_projector.read_api.models import Item
from daybook_projector.read_api.parameters import Filter

Kind = Literal["uuid", "timestamptz"]


@dataclass(frozen=True, slots=True)
class OwnRows:
    """Rows that name their org or project themselves. `condition` is SQL on the alias `t`, with the names of the path's
    ids in braces; `{orgs}` is the array of the orgs that a service is confined to, or NULL.
    """

    condition: str


@dataclass(frozen=True, slots=True)
class Branches:
    """Rows of the org's connections or projects, the alias `p`. Each of these parents has one branch for each value of
    `column`, and an index has the rows of a branch in the collection's order. A page is merged from its branches, so
    its cost depends on their number, never on their lengths.

    `right` is the policy's condition as one on `p`. Row-level security holds anyway; with it, rows that the caller may
    not see are not visited.
    """

    parent: str
    parent_key: str
    column: str
    values: tuple[str, ...]
    right: str


@dataclass(frozen=True, slots=True)
class Resource:
    """`bounded_filters` are not served by an index: see page_sql.SCANNED_ROWS. `has_large_rows`: rows may be as large
    as a command.
    """

    path: str
    item_id: str
    title: str
    table: str
    model: type[Item]
    rows: OwnRows | Branches
    key: str = "id"
    order: tuple[tuple[str, Kind], ...] = (("id", "uuid"),)
    newest_first: bool = False
    filters: tuple[Filter, ...] = ()
    bounded_filters: tuple[Filter, ...] = ()
    has_large_rows: bool = False

    @property
    def item_path(self) -> str:
        return f"{self.path}/{{{self.item_id}}}"

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.model.model_fields)

    @property
    def all_filters(self) -> tuple[Filter, ...]:
        return self.filters + self.bounded_filters
