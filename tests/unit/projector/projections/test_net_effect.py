"""Net effect: several changes of one row are combined into a single change with the same result."""

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


def added(by: int, **values: str | int) -> Update:
    return Update(TABLE, (1,), values, added={"count": by})


def test_an_inserted_and_updated_row_is_inserted_in_its_final_state() -> None:
    changes: list[Change] = [
        Insert(TABLE, row(1)),
        Update(TABLE, (1,), {"name": "b"}),
        Update(TABLE, (1,), {"role": "y"}),
    ]
    assert net_effect(changes) == (Insert(TABLE, row(1, "b", "y")),)


def test_an_inserted_and_deleted_row_is_transient() -> None:
    changes = net_effect([Insert(TABLE, row(1)), Delete(TABLE, (1,))])
    assert changes == (Transient(TABLE, row(1)),)
    tables = RowTables([TABLE])
    tables.apply(changes)
    assert tables.rows == {TABLE.name: {}}
    with pytest.raises(FoldError):
        RowTables([TABLE], {TABLE: [row(1)]}).apply(changes)


def test_a_deleted_and_inserted_row_is_replaced() -> None:
    assert net_effect([Delete(TABLE, (1,)), Insert(TABLE, row(1))]) == (Replace(TABLE, row(1)),)
    replaced_and_deleted: list[Change] = [Delete(TABLE, (1,)), Insert(TABLE, row(1)), Delete(TABLE, (1,))]
    assert net_effect([Update(TABLE, (1,), {"name": "b"}), *replaced_and_deleted]) == (Delete(TABLE, (1,)),)


def test_a_row_inserted_deleted_and_inserted_again_is_replaced() -> None:
    changes: list[Change] = [Insert(TABLE, row(1)), Delete(TABLE, (1,)), Insert(TABLE, row(1, "b"))]
    assert net_effect(changes) == (Replace(TABLE, row(1, "b"), first=row(1)),)
    changes += [Update(TABLE, (1,), {"role": "y"})]
    assert net_effect(changes) == (Replace(TABLE, row(1, "b", "y"), first=row(1)),)
    assert net_effect([*changes, Delete(TABLE, (1,))]) == (Transient(TABLE, row(1)),)


def test_updates_of_one_row_become_one_update_of_all_their_columns() -> None:
    changes = [Update(TABLE, (1,), {"name": "b", "role": "y"}), Update(TABLE, (1,), {"name": "c"})]
    assert net_effect(changes) == (Update(TABLE, (1,), {"name": "c", "role": "y"}),)


def test_adding_to_an_inserted_row_gives_a_plain_value() -> None:
    assert net_effect([Insert(TABLE, row(1, count=3)), added(1), added(2)]) == (Insert(TABLE, row(1, count=6)),)
    anew: list[Change] = [Delete(TABLE, (1,)), Insert(TABLE, row(1)), added(1)]
    assert net_effect(anew) == (Replace(TABLE, row(1, count=1)),)


def test_adding_to_an_updated_column_gives_a_plain_value_and_a_later_update_wins() -> None:
    assert net_effect([Update(TABLE, (1,), {"count": 5}), added(1)]) == (Update(TABLE, (1,), {"count": 6}),)
    assert net_effect([added(1), Update(TABLE, (1,), {"count": 5})]) == (Update(TABLE, (1,), {"count": 5}),)


def test_additions_to_an_existing_row_are_summed() -> None:
    changes = [added(1, name="b"), added(2, role="y")]
    assert net_effect(changes) == (Update(TABLE, (1,), {"name": "b", "role": "y"}, added={"count": 3}),)
    assert net_effect([*changes, Delete(TABLE, (1,))]) == (Delete(TABLE, (1,)),)


def test_adding_to_a_text_is_an_error() -> None:
    with pytest.raises(FoldError, match="not a number"):
        net_effect([Insert(TABLE, row(1)), Update(TABLE, (1,), {}, added={"name": 1})])


def test_rows_of_two_tables_with_the_same_key_are_separate() -> None:
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
def test_an_impossible_sequence_of_changes_is_an_error(changes: list[Change]) -> None:
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
def test_any_cut_into_batches_has_the_same_result(present: set[int], changes: list[Change], cuts: set[int]) -> None:
    one_by_one, in_batches = (RowTables([TABLE], {TABLE: [row(key) for key in present]}) for _ in range(2))
    is_possible = one_by_one.try_batches([[(None, change)] for change in changes])
    edges = [0, *sorted(cut for cut in cuts if cut < len(changes)), len(changes)]
    batches = [[(None, change) for change in changes[start:end]] for start, end in pairwise(edges)]
    assert in_batches.try_batches(batches) == is_possible
    if is_possible:
        assert in_batches.rows == one_by_one.rows
