"""Reads pages and items for a caller: a resource and a query in, JSON and the positions of its snapshot out."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import asyncpg

from daybook_contracts.codes import Code
from daybook_contracts.routing import partition_of
from daybook_infra.runtime.http.problems import RequestRefused, refusal
from daybook_projector.read_api import page_sql
from daybook_projector.read_api.cursors import InvalidCursor, Values, decode_cursor, encode_cursor, filter_hash
from daybook_projector.read_api.database import ReadDatabase, ReadSnapshot
from daybook_projector.read_api.encoding import encode_page, encode_row
from daybook_projector.read_api.page_sql import PageRequest
from daybook_projector.read_api.reader import Reader
from daybook_projector.read_api.resource import Resource

SEES_ORG: Final = "SELECT EXISTS (SELECT FROM public.orgs AS t WHERE t.id = $1::uuid)"
SEES_PROJECT: Final = "SELECT EXISTS (SELECT FROM public.projects AS t WHERE t.org_id = $1::uuid AND t.id = $2::uuid)"
IN_QUARANTINE: Final = "This org is in quarantine: its rows do not change. Read it without Daybook-After, or later."


@dataclass(frozen=True, slots=True)
class Query:
    """`waited`: the caller asked to wait for a position first."""

    filters: Mapping[str, Any]
    cursor: str | None
    limit: int
    waited: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """`positions` is the value of the header Daybook-Position: for the partition of each org that was read, the last
    projected position.
    """

    body: bytes
    positions: str


class Pages:
    def __init__(self, database: ReadDatabase, partitions: int) -> None:
        self._database = database
        self._partitions = partitions

    async def page(self, resource: Resource, reader: Reader, ids: Mapping[str, str], query: Query) -> Reading:
        """Raises RequestRefused: 404 if the caller does not see the org or project, 400 if the cursor was made for
        another path or other filters, and 503 if the caller waited and sees the org, which is in quarantine. Raises
        DatabaseAway.
        """
        walk = filter_hash(resource.path, ids, query.filters)
        start = None if query.cursor is None else _decode(query.cursor, walk, resource)
        # One extra row shows whether there is a next page.
        asked = PageRequest(ids, query.filters, start, query.limit + 1, reader.user_id, reader.orgs)
        org_id = ids.get("org_id")
        keys = partial(page_sql.keys_of_page, resource, asked)
        async with self._database.snapshot(reader, org_id, self._partition(org_id), keys) as snapshot:
            rows, following = await _page_rows(snapshot, resource, asked)
            if query.waited:
                await _refuse_quarantined(snapshot, org_id, rows)
            if not rows:
                await _refuse_unseen(snapshot, ids)
            items = [encode_row(resource.model, row) for row in rows]
            positions = self._positions(snapshot, org_id, rows)
        return Reading(encode_page(items, None if following is None else encode_cursor(walk, following)), positions)

    async def item(
        self, resource: Resource, reader: Reader, ids: Mapping[str, str], item_id: str, *, waited: bool
    ) -> Reading:
        """Raises RequestRefused: 404 if the caller does not see the item, and 503 if the caller waited and sees the
        org, which is in quarantine. Raises DatabaseAway.
        """
        asked = PageRequest(ids, orgs=reader.orgs)
        org_id = ids.get("org_id", item_id)
        async with self._database.snapshot(reader, org_id, self._partition(org_id)) as snapshot:
            rows = await snapshot.fetch(page_sql.item(resource, asked, item_id))
            if waited:
                await _refuse_quarantined(snapshot, org_id, rows)
            if not rows:
                raise not_found()
            positions = self._positions(snapshot, org_id, rows)
        return Reading(encode_row(resource.model, rows[0]), positions)

    def _partition(self, org_id: str | None) -> int | None:
        return None if org_id is None else partition_of(org_id, self._partitions)

    def _positions(self, snapshot: ReadSnapshot, org_id: str | None, rows: list[asyncpg.Record]) -> str:
        """The position of the org's partition. For a page of orgs, the positions of all their partitions."""
        ids = [str(row["id"]) for row in rows] if org_id is None else [org_id]
        partitions = sorted({partition_of(each, self._partitions) for each in ids})
        shown = snapshot.positions
        return ", ".join(f"{partition}.{shown[partition]}" for partition in partitions if partition in shown)


def not_found() -> RequestRefused:
    """The same refusal for rows that do not exist and for rows that the caller may not see."""
    return refusal(Code.NOT_FOUND, "There is nothing here that you may see.")


async def _page_rows(
    snapshot: ReadSnapshot, resource: Resource, asked: PageRequest
) -> tuple[list[asyncpg.Record], Values | None]:
    """The page's rows, and the sort values after which the next page starts; None if there is no next page."""
    end = await _window_end(snapshot, resource, asked)
    statement = page_sql.page(resource, asked, end, snapshot.keys)
    if resource.has_large_rows:
        rows, cut = await snapshot.fetch_bounded(statement)
    else:
        rows, cut = await snapshot.fetch(statement), False
    if len(rows) == asked.limit:
        del rows[-1]
        cut = True
    return rows, _order_values(resource, rows[-1]) if cut else end


async def _window_end(snapshot: ReadSnapshot, resource: Resource, asked: PageRequest) -> Values | None:
    statement = page_sql.window_end(resource, asked)
    found = None if statement is None else await snapshot.fetch(statement)
    return _order_values(resource, found[0]) if found else None


def _order_values(resource: Resource, row: asyncpg.Record) -> Values:
    return tuple(row[name] if kind == "timestamptz" else str(row[name]) for name, kind in resource.order)


async def _refuse_unseen(snapshot: ReadSnapshot, ids: Mapping[str, str]) -> None:
    """For an empty page: raises RequestRefused if it is empty because the caller does not see the org or project."""
    org_id, project_id = ids.get("org_id"), ids.get("project_id")
    if project_id is not None:
        seen = await snapshot.sees(SEES_PROJECT, org_id, project_id)
    else:
        seen = org_id is None or await snapshot.sees(SEES_ORG, org_id)
    if not seen:
        raise not_found()


async def _refuse_quarantined(snapshot: ReadSnapshot, org_id: str | None, rows: list[asyncpg.Record]) -> None:
    """Raises RequestRefused if the org is in quarantine and the caller sees it, even if no rows were found: the entry
    that creates them may be one of those that were not applied.
    """
    if snapshot.quarantined and (rows or await snapshot.sees(SEES_ORG, org_id)):
        raise refusal(Code.ORG_QUARANTINED, IN_QUARANTINE)


def _decode(cursor: str, walk: str, resource: Resource) -> Values:
    try:
        return decode_cursor(cursor, walk, [kind for _, kind in resource.order])
    except InvalidCursor as error:
        raise refusal(
            Code.INVALID_QUERY, "cursor: not one of this collection with these filters; start again without it"
        ) from error
