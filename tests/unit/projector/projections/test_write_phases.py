"""Write phases: a change that must come after a cascading delete, or needs a unique value that another change frees, is
written in a later phase.
"""

from itertools import pairwise

from hypothesis import event, given, settings
from hypothesis import strategies as st

from daybook_projector.projections.changes import Change, Delete, Update
from daybook_projector.projections.write_phases import write_phases
from suites.rows import CHILD, LABEL, PARENT, TABLES, child, label, parent
from support.row_tables import RowTables

Owned = tuple[str, Change]


def sizes(*changes: Change) -> list[int]:
    """The number of changes in each phase, all of one owner."""
    return [len(phase) for phase in write_phases(("a", change) for change in changes)]


def test_no_changes_give_no_phase() -> None:
    assert write_phases([]) == []


def test_deletes_and_the_changes_before_them_are_one_phase() -> None:
    changes = [change for n in (1, 2, 3) for change in (parent(n), child(n, n), Delete(LABEL, (n,)))]
    assert sizes(*changes, *(Delete(PARENT, (n,)) for n in (1, 2, 3))) == [12]


def test_a_row_that_a_cascade_may_have_deleted_changes_one_phase_later() -> None:
    delete = Delete(PARENT, (1,))
    assert sizes(Update(CHILD, (2,), {"count": 1}), delete, Update(CHILD, (2,), {"count": 2})) == [2, 1]
    assert sizes(delete, child(2, 3), child(4, 3), delete) == [1, 3]


def test_a_deleted_row_may_be_inserted_again_in_the_same_phase() -> None:
    assert sizes(Delete(PARENT, (1,)), parent(1), parent(2), Update(PARENT, (2,), {"name": "b"})) == [4]


def test_a_unique_value_is_used_one_phase_after_it_may_have_been_freed() -> None:
    assert sizes(label(1, "x"), Delete(LABEL, (1,)), Update(LABEL, (3,), {"name": "y"}), label(2, "x")) == [3, 1]


def test_phases_of_different_owners_are_independent() -> None:
    changes: list[Owned] = [
        (owner, change)
        for number, owner in enumerate("abc")
        for change in (Delete(PARENT, (number,)), child(number, number))
    ]
    assert [[owner for owner, _ in phase] for phase in _owned(changes)] == [["a", "b", "c"]] * 2


def _owned(changes: list[Owned]) -> list[list[Owned]]:
    owners = {id(change): owner for owner, change in changes}
    return [[(owners[id(change)], change) for change in phase] for phase in write_phases(changes)]


def changes_of(owner: str) -> st.SearchStrategy[Owned]:
    parents, children, labels = (st.sampled_from([10 * ord(owner) + n for n in range(3)]) for _ in range(3))
    names, counts = st.sampled_from("xy"), st.integers(0, 3)
    any_change: st.SearchStrategy[Change] = st.one_of(
        st.builds(parent, parents),
        st.builds(child, children, parents),
        st.builds(lambda id_, name: label(id_, name, owner), labels, names),
        st.builds(lambda id_, name: Update(PARENT, (id_,), {"name": name}), parents, names),
        st.builds(lambda id_, count: Update(CHILD, (id_,), {"count": count}), children, counts),
        st.builds(lambda id_, by: Update(CHILD, (id_,), {}, added={"count": by}), children, counts),
        st.builds(lambda id_: Delete(PARENT, (id_,)), parents),
        st.builds(lambda id_: Delete(PARENT, (id_,)), parents),
        st.builds(lambda id_: Delete(LABEL, (id_,)), labels),
    )
    return any_change.map(lambda change: (owner, change))


def applicable(changes: list[Owned]) -> list[Owned]:
    """Keeps each change that can be applied after the changes kept so far."""
    tables = RowTables(TABLES)
    return [change for change in changes if tables.try_batches([[change]])]


def cut(changes: list[Owned], cuts: set[int]) -> list[list[Owned]]:
    edges = [0, *sorted(position for position in cuts if position < len(changes)), len(changes)]
    return [changes[start:end] for start, end in pairwise(edges)]


histories = st.lists(st.one_of(changes_of("a"), changes_of("b")), min_size=20, max_size=60)
cuts = st.sets(st.integers(1, 60), max_size=4)


@settings(max_examples=300)
@given(histories, cuts)
def test_any_cut_of_applicable_changes_has_the_same_result(history: list[Owned], edges: set[int]) -> None:
    changes = applicable(history)
    one_by_one, in_batches = RowTables(TABLES), RowTables(TABLES)
    assert one_by_one.try_batches([[change] for change in changes])
    assert in_batches.try_batches(cut(changes, edges))
    assert in_batches.rows == one_by_one.rows
    event(f"{len(write_phases(changes))} phases")


@settings(max_examples=300)
@given(histories, st.one_of(changes_of("a"), changes_of("b")), cuts)
def test_any_cut_is_an_error_exactly_if_the_changes_are_inapplicable(
    history: list[Owned], last: Owned, edges: set[int]
) -> None:
    changes = [*applicable(history), last]
    one_by_one, in_batches = RowTables(TABLES), RowTables(TABLES)
    is_possible = one_by_one.try_batches([[change] for change in changes])
    assert in_batches.try_batches(cut(changes, edges)) is is_possible
