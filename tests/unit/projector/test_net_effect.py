"""Net effect: many changes of a row come to one, and what that does is what they did one after another."""

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from daybook_projector.projections.changes import (
    Change,
    Delete,
    FoldError,
    Insert,
    Replace,
    Row,
    Table,
    Transient,
    Update,
    net_effect,
)
from support.row_tables import RowTables

TABLE = Table("public.things", key=("id",), columns={"id": "uuid", "name": "text", "role": "text"})
OTHER = Table("public.others", key=("id",), columns={"id": "uuid", "name": "text", "role": "text"})


def row(key: int, name: str = "a", role: str = "x") -> Row:
    return {"id": key, "name": name, "role": role}


def test_a_row_made_and_changed_is_made_as_it_ends_up() -> None:
    changes: list[Change] = [
        Insert(TABLE, row(1)),
        Update(TABLE, (1,), {"name": "b"}),
        Update(TABLE, (1,), {"role": "y"}),
    ]
    assert net_effect(changes) == (Insert(TABLE, row(1, "b", "y")),)


def test_a_row_made_and_deleted_leaves_nothing_where_it_could_be_made() -> None:
    changes = net_effect([Insert(TABLE, row(1)), Delete(TABLE, (1,))])
    assert changes == (Transient(TABLE, row(1)),)
    tables = RowTables()
    tables.apply(changes)
    assert tables.rows == {TABLE.name: {}}
    with pytest.raises(FoldError):
        RowTables({TABLE: [row(1)]}).apply(changes)


def test_a_row_deleted_and_made_anew_is_replaced() -> None:
    assert net_effect([Delete(TABLE, (1,)), Insert(TABLE, row(1))]) == (Replace(TABLE, row(1)),)
    replaced_and_deleted: list[Change] = [Delete(TABLE, (1,)), Insert(TABLE, row(1)), Delete(TABLE, (1,))]
    assert net_effect([Update(TABLE, (1,), {"name": "b"}), *replaced_and_deleted]) == (Delete(TABLE, (1,)),)


def test_changes_of_one_row_become_one_change_of_all_columns_named() -> None:
    changes = [Update(TABLE, (1,), {"name": "b", "role": "y"}), Update(TABLE, (1,), {"name": "c"})]
    assert net_effect(changes) == (Update(TABLE, (1,), {"name": "c", "role": "y"}),)


def test_rows_of_two_tables_with_the_same_key_are_two_rows() -> None:
    changes: list[Change] = [Insert(TABLE, row(1)), Insert(OTHER, row(1)), Delete(TABLE, (1,))]
    assert net_effect(changes) == (Transient(TABLE, row(1)), Insert(OTHER, row(1)))


@pytest.mark.parametrize(
    "changes",
    [
        [Insert(TABLE, row(1)), Insert(TABLE, row(1))],
        [Update(TABLE, (1,), {"name": "b"}), Insert(TABLE, row(1))],
        [Delete(TABLE, (1,)), Insert(TABLE, row(1)), Insert(TABLE, row(1))],
        [Delete(TABLE, (1,)), Delete(TABLE, (1,))],
        [Delete(TABLE, (1,)), Update(TABLE, (1,), {"name": "b"})],
        [Insert(TABLE, row(1)), Delete(TABLE, (1,)), Delete(TABLE, (1,))],
        [Insert(TABLE, row(1)), Delete(TABLE, (1,)), Update(TABLE, (1,), {"name": "b"})],
    ],
)
def test_what_cannot_happen_to_a_row_is_an_error(changes: list[Change]) -> None:
    with pytest.raises(FoldError):
        net_effect(changes)


keys = st.integers(1, 3)
changes_of_rows = st.lists(
    st.one_of(
        st.builds(lambda key, name: Insert(TABLE, row(key, name)), keys, st.sampled_from("abc")),
        st.builds(lambda key, name: Update(TABLE, (key,), {"name": name}), keys, st.sampled_from("abc")),
        st.builds(lambda key, role: Update(TABLE, (key,), {"role": role}), keys, st.sampled_from("xyz")),
        st.builds(lambda key: Delete(TABLE, (key,)), keys),
    ),
    max_size=12,
)


@settings(max_examples=500)
@given(st.sets(keys), changes_of_rows, st.sets(st.integers(1, 12)))
@example({1}, [Insert(TABLE, row(1)), Delete(TABLE, (1,))], set())
def test_changes_do_the_same_however_they_are_cut_into_batches(
    present: set[int], changes: list[Change], cuts: set[int]
) -> None:
    one_by_one, in_batches = (RowTables({TABLE: [row(key) for key in present]}) for _ in range(2))
    is_possible = one_by_one.try_batches([[change] for change in changes])
    edges = [0, *sorted(cut for cut in cuts if cut < len(changes)), len(changes)]
    batches = [changes[start:end] for start, end in pairwise(edges)]
    assert in_batches.try_batches(batches) == is_possible
    if is_possible:
        assert in_batches.rows == one_by_one.rows
