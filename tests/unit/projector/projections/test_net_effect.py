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

COLUMNS = {"id": "uuid", "name": "text", "role": "text", "count": "integer"}
TABLE = Table("public.things", key=("id",), columns=COLUMNS)
OTHER = Table("public.others", key=("id",), columns=COLUMNS)


def row(key: int, name: str = "a", role: str = "x", count: int = 0) -> Row:
    return {"id": key, "name": name, "role": role, "count": count}


def raised(by: int, **values: str | int) -> Update:
    return Update(TABLE, (1,), values, added={"count": by})


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
    tables = RowTables([TABLE])
    tables.apply(changes)
    assert tables.rows == {TABLE.name: {}}
    with pytest.raises(FoldError):
        RowTables([TABLE], {TABLE: [row(1)]}).apply(changes)


def test_a_row_deleted_and_made_anew_is_replaced() -> None:
    assert net_effect([Delete(TABLE, (1,)), Insert(TABLE, row(1))]) == (Replace(TABLE, row(1)),)
    replaced_and_deleted: list[Change] = [Delete(TABLE, (1,)), Insert(TABLE, row(1)), Delete(TABLE, (1,))]
    assert net_effect([Update(TABLE, (1,), {"name": "b"}), *replaced_and_deleted]) == (Delete(TABLE, (1,)),)


def test_a_row_made_deleted_and_made_again_is_replaced_where_it_could_be_made() -> None:
    changes: list[Change] = [Insert(TABLE, row(1)), Delete(TABLE, (1,)), Insert(TABLE, row(1, "b"))]
    assert net_effect(changes) == (Replace(TABLE, row(1, "b"), first=row(1)),)
    changes += [Update(TABLE, (1,), {"role": "y"})]
    assert net_effect(changes) == (Replace(TABLE, row(1, "b", "y"), first=row(1)),)
    assert net_effect([*changes, Delete(TABLE, (1,))]) == (Transient(TABLE, row(1)),)


def test_changes_of_one_row_become_one_change_of_all_columns_named() -> None:
    changes = [Update(TABLE, (1,), {"name": "b", "role": "y"}), Update(TABLE, (1,), {"name": "c"})]
    assert net_effect(changes) == (Update(TABLE, (1,), {"name": "c", "role": "y"}),)


def test_what_is_added_to_a_row_that_is_made_here_is_a_value() -> None:
    assert net_effect([Insert(TABLE, row(1, count=3)), raised(1), raised(2)]) == (Insert(TABLE, row(1, count=6)),)
    anew: list[Change] = [Delete(TABLE, (1,)), Insert(TABLE, row(1)), raised(1)]
    assert net_effect(anew) == (Replace(TABLE, row(1, count=1)),)


def test_what_is_added_to_a_value_set_here_is_a_value_and_a_later_value_stands_for_itself() -> None:
    assert net_effect([Update(TABLE, (1,), {"count": 5}), raised(1)]) == (Update(TABLE, (1,), {"count": 6}),)
    assert net_effect([raised(1), Update(TABLE, (1,), {"count": 5})]) == (Update(TABLE, (1,), {"count": 5}),)


def test_what_is_added_to_a_row_from_before_adds_up() -> None:
    changes = [raised(1, name="b"), raised(2, role="y")]
    assert net_effect(changes) == (Update(TABLE, (1,), {"name": "b", "role": "y"}, added={"count": 3}),)
    assert net_effect([*changes, Delete(TABLE, (1,))]) == (Delete(TABLE, (1,)),)


def test_nothing_is_added_to_what_is_no_number() -> None:
    with pytest.raises(FoldError, match="not a number"):
        net_effect([Insert(TABLE, row(1)), Update(TABLE, (1,), {}, added={"name": 1})])


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
        st.builds(lambda key, count: Update(TABLE, (key,), {"count": count}), keys, st.integers(0, 9)),
        st.builds(lambda key, by: Update(TABLE, (key,), {}, added={"count": by}), keys, st.integers(1, 3)),
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
    one_by_one, in_batches = (RowTables([TABLE], {TABLE: [row(key) for key in present]}) for _ in range(2))
    is_possible = one_by_one.try_batches([[(None, change)] for change in changes])
    edges = [0, *sorted(cut for cut in cuts if cut < len(changes)), len(changes)]
    batches = [[(None, change) for change in changes[start:end]] for start, end in pairwise(edges)]
    assert in_batches.try_batches(batches) == is_possible
    if is_possible:
        assert in_batches.rows == one_by_one.rows
