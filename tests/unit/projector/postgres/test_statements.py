"""Turning row changes into SQL statements for sets of rows, in an order that foreign keys allow."""

from daybook_projector.postgres import statements as sql
from daybook_projector.postgres.row_writer import statements
from daybook_projector.projections.changes import Delete, Insert, NetChange, Replace, Row, Transient, Update
from daybook_projector.projections.dlq_events import DLQ_EVENTS
from daybook_projector.projections.org_members import ORG_MEMBERS
from daybook_projector.projections.orgs import ORGS
from daybook_projector.projections.project_members import PROJECT_MEMBERS
from daybook_projector.projections.source_connections import SOURCE_CONNECTIONS
from daybook_projector.projections.sync_runs import SYNC_RUNS

MEMBER = {"org_id": "o", "user_id": "u", "role": "owner", "created_at": "t"}
ORG = {"id": "o", "name": "a", "created_at": "t"}


CONNECTION: Row = {
    "id": "c",
    "org_id": "o",
    "project_id": "p",
    "type": "hotmart",
    "name": "a",
    "config_json": "{}",
    "is_active": True,
}
RUN: Row = {
    "id": "r",
    "connection_id": "c",
    "status": "running",
    "started_at": "t",
    "finished_at": None,
    "error_message": None,
}


def test_parents_are_inserted_before_and_deleted_after_children_with_updates_in_between_and_replacements_last() -> None:
    changes: list[NetChange] = [
        Replace(ORG_MEMBERS, MEMBER),
        Delete(SOURCE_CONNECTIONS, ("d",)),
        Insert(SYNC_RUNS, RUN),
        Update(SYNC_RUNS, ("s",), {"status": "success"}),
        Insert(SOURCE_CONNECTIONS, CONNECTION),
        Delete(PROJECT_MEMBERS, ("p", "u")),
    ]
    assert statements(changes) == [
        (sql.insert(SOURCE_CONNECTIONS), [tuple(CONNECTION.values())]),
        (sql.insert(SYNC_RUNS), [tuple(RUN.values())]),
        (sql.update(SYNC_RUNS, ("status",)), [("s", 1, "success")]),
        (sql.delete(SOURCE_CONNECTIONS), [("d",)]),
        (sql.delete(PROJECT_MEMBERS), [("p", "u")]),
        (sql.delete(ORG_MEMBERS), [("o", "u")]),
        (sql.insert(ORG_MEMBERS), [("o", "u", "owner", "t")]),
    ]


def test_updates_of_a_table_are_one_statement_whichever_columns_they_change() -> None:
    changes = [
        Update(DLQ_EVENTS, ("d",), {"status": "resolved"}, added={"retry_count": 1}),
        Update(DLQ_EVENTS, ("e",), {"status": "resolved"}),
        Update(DLQ_EVENTS, ("f",), {"retry_count": 3}),
        Update(DLQ_EVENTS, ("g",), {"retry_count": 0, "status": "pending"}),
    ]
    rows = [("d", 2, 1, "resolved"), ("e", 2, 0, "resolved"), ("f", 1, 3, None), ("g", 3, 0, "pending")]
    assert statements(changes) == [(sql.update(DLQ_EVENTS, ("retry_count", "status")), rows)]
    assert sql.update(DLQ_EVENTS, ("retry_count", "status")) == (
        "UPDATE public.dlq_events AS old SET "
        "retry_count = CASE WHEN news.changed & 1 <> 0 THEN news.retry_count "
        "ELSE old.retry_count + news.retry_count END, "
        "status = CASE WHEN news.changed & 2 <> 0 THEN news.status ELSE old.status END "
        "FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::text[]) AS news (id, changed, retry_count, status) "
        "WHERE old.id = news.id"
    )


def test_a_transient_row_is_inserted_and_deleted() -> None:
    assert [rows for _, rows in statements([Transient(ORG_MEMBERS, MEMBER)])] == [
        [("o", "u", "owner", "t")],
        [("o", "u")],
    ]


def test_statements_contain_columns_and_types_but_no_values() -> None:
    assert sql.insert(ORGS) == (
        "INSERT INTO public.orgs (id, name, created_at) "
        "SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]::timestamptz[])"
    )
    assert sql.update(ORGS, ("name",)) == (
        "UPDATE public.orgs AS old SET name = CASE WHEN news.changed & 1 <> 0 THEN news.name ELSE old.name END "
        "FROM unnest($1::uuid[], $2::integer[], $3::text[]) AS news (id, changed, name) WHERE old.id = news.id"
    )
    assert sql.delete(ORG_MEMBERS) == (
        "DELETE FROM public.org_members AS old USING unnest($1::uuid[], $2::uuid[]) AS news (org_id, user_id) "
        "WHERE old.org_id = news.org_id AND old.user_id = news.user_id"
    )
