"""Describes one collection of the read API: its path, its table, its order, its filters, and how the rows of an org are
found.
"""

from dataclasses import dataclass
from typing import Literal

from daybook_projector.read_api.models import Item
from daybook_projector.read_api.parameters import Filter

Kind = Literal["uuid", "timestamptz"]


@dataclass(frozen=True, slots=True)
class OwnRows:
    """For a table with a column for the org or the project. `condition` is SQL that chooses the rows of the table `t`.
    `{org_id}` and `{project_id}` stand for the ids in the path, and `{orgs}` for an array of the orgs that a service
    may read, or NULL for all.
    """

    condition: str


@dataclass(frozen=True, slots=True)
class Branches:
    """For a table whose rows belong to the org's connections or projects (their parents, the table `p`).

    A branch is the rows of one parent with one value of `column`. An index has the rows of each branch in the
    collection's order. A page is merged from the branches, so its cost depends on the number of branches, not on their
    lengths.

    `right` is SQL that chooses the parents whose rows the user `{user}` may see: the same rule as the policy's. It is
    checked when the keys of a page are merged. The rows with these keys are then read under the policy.
    """

    parent: str
    parent_key: str
    column: str
    values: tuple[str, ...]
    right: str


@dataclass(frozen=True, slots=True)
class Resource:
    """`filters` use an index. `bounded_filters` do not, so they look at no more than page_sql.SCANNED_ROWS rows.
    `has_large_rows`: a row may be as large as a command. `title` (plural) and `noun` (singular) name the items in the
    OpenAPI document.
    """

    path: str
    item_id: str
    title: str
    noun: str
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
