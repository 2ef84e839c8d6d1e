"""Statements: sets of rows in, and the order in which foreign keys let them be written."""

from daybook_projector import sql
from daybook_projector.projections.changes import Delete, Insert, NetChange, Replace, Transient, Update
from daybook_projector.projections.org_members import ORG_MEMBERS
from daybook_projector.projections.orgs import ORGS
from daybook_projector.projections.project_members import PROJECT_MEMBERS
from daybook_projector.rows import statements

MEMBER = {"org_id": "o", "user_id": "u", "role": "owner", "created_at": "t"}
ORG = {"id": "o", "name": "a", "created_at": "t"}


def test_children_go_first_parents_come_first() -> None:
    changes: list[NetChange] = [Replace(ORG_MEMBERS, MEMBER), Delete(PROJECT_MEMBERS, ("p", "u")), Insert(ORGS, ORG)]
    assert statements(changes) == [
        (sql.delete(PROJECT_MEMBERS), [("p", "u")]),
        (sql.delete(ORG_MEMBERS), [("o", "u")]),
        (sql.insert(ORGS), [("o", "a", "t")]),
        (sql.insert(ORG_MEMBERS), [("o", "u", "owner", "t")]),
    ]


def test_updates_of_the_same_columns_are_one_statement() -> None:
    changes = [Update(ORG_MEMBERS, ("o", user), {"role": "admin"}) for user in "ab"]
    assert statements(changes) == [
        (sql.update(ORG_MEMBERS, ("role",)), [("o", "a", "admin"), ("o", "b", "admin")]),
    ]


def test_a_passing_row_is_made_and_deleted() -> None:
    assert [rows for _, rows in statements([Transient(ORG_MEMBERS, MEMBER)])] == [
        [("o", "u", "owner", "t")],
        [("o", "u")],
    ]


def test_statements_name_columns_and_types_and_never_values() -> None:
    assert sql.insert(ORGS) == (
        "INSERT INTO public.orgs (id, name, created_at) "
        "SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]::timestamptz[])"
    )
    assert sql.update(ORGS, ("name",)) == (
        "UPDATE public.orgs AS old SET name = news.name "
        "FROM unnest($1::uuid[], $2::text[]) AS news (id, name) WHERE old.id = news.id"
    )
    assert sql.delete(ORG_MEMBERS) == (
        "DELETE FROM public.org_members AS old USING unnest($1::uuid[], $2::uuid[]) AS news (org_id, user_id) "
        "WHERE old.org_id = news.org_id AND old.user_id = news.user_id"
    )
