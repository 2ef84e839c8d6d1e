"""Stretches: where rows go with others, or free a unique value, what may need that done first is written later."""

from itertools import pairwise

from hypothesis import event, given, settings
from hypothesis import strategies as st

from daybook_projector.projections.changes import Change, Delete, Insert, Table, Update
from daybook_projector.projections.write_phases import write_phases
from support.row_tables import RowTables

PARENT = Table("public.parents", key=("id",), columns={"id": "uuid", "name": "text"})
CHILD = Table(
    "public.children",
    key=("id",),
    columns={"id": "uuid", "parent_id": "uuid", "count": "integer"},
    cascades_from=("parent_id", PARENT),
)
LABEL = Table(
    "public.labels", key=("id",), columns={"id": "uuid", "org": "text", "name": "text"}, unique=("org", "name")
)
TABLES = (PARENT, CHILD, LABEL)

Owned = tuple[str, Change]


def parent(id_: str) -> Insert:
    return Insert(PARENT, {"id": id_, "name": "a"})


def child(id_: str, parent_id: str) -> Insert:
    return Insert(CHILD, {"id": id_, "parent_id": parent_id, "count": 0})


def label(id_: str, name: str, org: str = "a") -> Insert:
    return Insert(LABEL, {"id": id_, "org": org, "name": name})


def shape(*changes: Change) -> list[int]:
    """How many changes of one owner stand in each stretch."""
    return [len(stretch) for stretch in write_phases(("a", change) for change in changes)]


def test_nothing_makes_no_stretch() -> None:
    assert write_phases([]) == []


def test_many_deletions_and_what_went_before_are_one_stretch() -> None:
    changes = [change for n in "123" for change in (parent(n), child(n, n), Delete(LABEL, (n,)))]
    assert shape(*changes, *(Delete(PARENT, (n,)) for n in "123")) == [12]


def test_a_row_that_may_have_gone_with_another_is_touched_a_stretch_later() -> None:
    gone = Delete(PARENT, ("1",))
    assert shape(Update(CHILD, ("2",), {"count": 1}), gone, Update(CHILD, ("2",), {"count": 2})) == [2, 1]
    assert shape(gone, child("2", "3"), child("4", "3"), gone) == [1, 3]


def test_a_row_that_nothing_hangs_on_any_more_may_be_made_again_at_once() -> None:
    assert shape(Delete(PARENT, ("1",)), parent("1"), parent("2"), Update(PARENT, ("2",), {"name": "b"})) == [4]


def test_a_unique_value_is_taken_a_stretch_after_one_was_given_up() -> None:
    assert shape(label("1", "x"), Delete(LABEL, ("1",)), Update(LABEL, ("3",), {"name": "y"}), label("2", "x")) == [
        3,
        1,
    ]


def test_each_owner_has_a_course_of_its_own() -> None:
    changes: list[Owned] = [
        (owner, change)
        for owner in ("a", "b", "c")
        for change in (Delete(PARENT, (owner,)), child(f"{owner}1", f"{owner}2"))
    ]
    assert [[owner for owner, _ in stretch] for stretch in _owned(changes)] == [["a", "b", "c"]] * 2


def _owned(changes: list[Owned]) -> list[list[Owned]]:
    owners = {id(change): owner for owner, change in changes}
    return [[(owners[id(change)], change) for change in stretch] for stretch in write_phases(changes)]


def changes_of(owner: str) -> st.SearchStrategy[Owned]:
    parents, children, labels = (st.sampled_from([f"{owner}{n}" for n in range(3)]) for _ in range(3))
    names, counts = st.sampled_from("xy"), st.integers(0, 3)
    made: st.SearchStrategy[Change] = st.one_of(
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
    return made.map(lambda change: (owner, change))


def possible(changes: list[Owned]) -> list[Owned]:
    """Those that can be applied, one after the other."""
    tables = RowTables(TABLES)
    return [change for change in changes if tables.try_batches([[change]])]


def cut(changes: list[Owned], cuts: set[int]) -> list[list[Owned]]:
    edges = [0, *sorted(at for at in cuts if at < len(changes)), len(changes)]
    return [changes[start:end] for start, end in pairwise(edges)]


histories = st.lists(st.one_of(changes_of("a"), changes_of("b")), min_size=20, max_size=60)
cuts = st.sets(st.integers(1, 60), max_size=4)


@settings(max_examples=300)
@given(histories, cuts)
def test_what_can_happen_does_the_same_however_it_is_cut(history: list[Owned], edges: set[int]) -> None:
    changes = possible(history)
    one_by_one, in_batches = RowTables(TABLES), RowTables(TABLES)
    assert one_by_one.try_batches([[change] for change in changes])
    assert in_batches.try_batches(cut(changes, edges))
    assert in_batches.rows == one_by_one.rows
    event(f"{len(write_phases(changes))} stretches")


@settings(max_examples=300)
@given(histories, st.one_of(changes_of("a"), changes_of("b")), cuts)
def test_what_cannot_happen_is_noticed_however_it_is_cut(history: list[Owned], last: Owned, edges: set[int]) -> None:
    changes = [*possible(history), last]
    one_by_one, in_batches = RowTables(TABLES), RowTables(TABLES)
    is_possible = one_by_one.try_batches([[change] for change in changes])
    assert in_batches.try_batches(cut(changes, edges)) is is_possible
