"""Contract suite for tables, in memory and in PostgreSQL, that apply row changes or refuse those that
contradict rows.
"""

from abc import ABC, abstractmethod

import pytest

from daybook_projector.projections.changes import Change, Delete, FoldError, Insert, Table, Update

PARENT = Table("public.parents", key=("id",), columns={"id": "integer", "name": "text"})
CHILD = Table(
    "public.children",
    key=("id",),
    columns={"id": "integer", "parent_id": "integer", "count": "integer"},
    cascades_from=("parent_id", PARENT),
)
LABEL = Table(
    "public.labels", key=("id",), columns={"id": "integer", "org": "text", "name": "text"}, unique=("org", "name")
)
TABLES = (PARENT, CHILD, LABEL)
DDL = """
CREATE TABLE public.parents (id integer PRIMARY KEY, name text);
CREATE TABLE public.children (
    id integer PRIMARY KEY, parent_id integer REFERENCES public.parents ON DELETE CASCADE, count integer
);
CREATE TABLE public.labels (id integer PRIMARY KEY, org text, name text, UNIQUE (org, name));
"""


class Rows(ABC):
    @abstractmethod
    async def write(self, *changes: Change) -> None:
        """Writes the changes as a projector does, in one transaction. Raises `FoldError`."""

    @abstractmethod
    async def read(self, table: Table) -> list[tuple[object, ...]]:
        """All rows, ordered by key."""


def parent(id_: int, name: str = "a") -> Insert:
    return Insert(PARENT, {"id": id_, "name": name})


def child(id_: int, parent_id: int) -> Insert:
    return Insert(CHILD, {"id": id_, "parent_id": parent_id, "count": 0})


def label(id_: int, name: str, org: str = "a") -> Insert:
    return Insert(LABEL, {"id": id_, "org": org, "name": name})


class RowsContract:
    @pytest.fixture
    async def filled(self, rows: Rows) -> Rows:
        await rows.write(parent(1), parent(2), child(1, 1), child(2, 1), child(3, 2), label(1, "x"))
        return rows

    async def test_values_are_set_and_amounts_are_added(self, filled: Rows) -> None:
        await filled.write(Update(PARENT, (1,), {"name": "b"}), Update(CHILD, (1,), {}, added={"count": 2}))
        await filled.write(Update(CHILD, (1,), {"parent_id": 2}, added={"count": 3}))
        assert await filled.read(PARENT) == [(1, "b"), (2, "a")]
        assert await filled.read(CHILD) == [(1, 2, 5), (2, 1, 0), (3, 2, 0)]

    async def test_deleting_a_row_deletes_its_children(self, filled: Rows) -> None:
        await filled.write(Delete(PARENT, (1,)))
        assert await filled.read(PARENT) == [(2, "a")]
        assert await filled.read(CHILD) == [(3, 2, 0)]

    async def test_a_replaced_row_has_no_children(self, filled: Rows) -> None:
        await filled.write(Delete(PARENT, (1,)), parent(1, "b"))
        assert await filled.read(PARENT) == [(1, "b"), (2, "a")]
        assert await filled.read(CHILD) == [(3, 2, 0)]

    async def test_a_row_that_is_inserted_and_deleted_in_one_write_leaves_nothing(self, filled: Rows) -> None:
        await filled.write(parent(3), child(4, 3), Delete(PARENT, (3,)))
        assert len(await filled.read(PARENT)) == 2
        assert len(await filled.read(CHILD)) == 3

    async def test_a_unique_value_is_free_when_its_row_is_deleted(self, filled: Rows) -> None:
        await filled.write(Delete(LABEL, (1,)), label(2, "x"), label(3, "x", org="b"))
        assert await filled.read(LABEL) == [(2, "a", "x"), (3, "b", "x")]

    @pytest.mark.parametrize(
        "changes",
        [
            [parent(1)],
            [parent(1), Delete(PARENT, (1,))],
            [child(4, 9)],
            [label(2, "x")],
            [Update(CHILD, (9,), {"count": 1})],
            [Delete(LABEL, (9,))],
            [Delete(PARENT, (1,)), Update(CHILD, (1,), {"count": 1})],
        ],
        ids=[
            "a taken key",
            "a taken key, although its row is deleted later in the same write",
            "no parent",
            "a taken unique value",
            "no row to update",
            "no row to delete",
            "a row deleted with its parent",
        ],
    )
    async def test_changes_that_contradict_the_rows_are_refused(self, filled: Rows, changes: list[Change]) -> None:
        with pytest.raises(FoldError):
            await filled.write(*changes)
