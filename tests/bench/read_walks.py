"""Prints what clients see while they page through dead letters and entries of a log, and rows are added, changed and
deleted: `python tests/bench/read_walks.py [--rows N] [--clients N]`. Each client should see every lasting row exactly
once. This is printed, and not asserted.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.figures import say
from bench.read_api import ORG, OWNER, fill
from daybook_infra.runtime.postgres.connections import Pool, connect
from daybook_infra.runtime.settings import Settings
from support.planted_rows import plant
from support.projecting import database
from support.reading import ReadApi, reading
from support.stack import Fresh, servers

LIMIT = 500
# The pause between two changes, so that the clients get most of the machine.
PAUSE_SECONDS = 0.01

NEW_LETTERS = """
INSERT INTO dlq_events
SELECT id, (SELECT c.id FROM source_connections AS c ORDER BY random() LIMIT 1), '{}', 'pending', 0
FROM unnest($1::uuid[]) AS id
"""
FLIPPED_LETTERS = """
UPDATE dlq_events
SET status = CASE status WHEN 'pending' THEN 'resolved' ELSE 'pending' END, retry_count = retry_count + 1
WHERE id = ANY ($1::uuid[])
"""
NEW_ENTRIES = """
INSERT INTO audit_log SELECT id, $2, NULL, $3, 'RENAME_ORG', 'org', $2, 'success', '{}', clock_timestamp()
FROM unnest($1::uuid[]) AS id
"""
Change = Callable[[Pool, list[str]], Awaitable[None]]


class Seen:
    """What one client saw. `lasting`: a number for each row that exists throughout."""

    def __init__(self, lasting: dict[str, int]) -> None:
        self._lasting = lasting
        self._counts = bytearray(len(lasting))
        self._others: set[str] = set()
        self.pages = 0
        self.refused = 0
        self.others_again = 0

    def add(self, ids: list[str]) -> None:
        self.pages += 1
        for id_ in ids:
            number = self._lasting.get(id_)
            if number is not None:
                self._counts[number] = min(self._counts[number] + 1, 2)
            else:
                self.others_again += id_ in self._others
                self._others.add(id_)

    def count(self, times: int) -> int:
        """How many of the lasting rows were seen `times` times; 2 means twice or more."""
        return self._counts.count(times)

    @property
    def others(self) -> int:
        return len(self._others)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=20)
    args = parser.parse_args()
    with servers(Settings()) as found:
        fresh = Fresh(found)
        try:
            asyncio.run(run(fresh(partitions=1), args.rows, args.clients))
        finally:
            fresh.drop()


async def run(settings: Settings, rows: int, clients: int) -> None:
    async with connect(settings, "bench", statement_seconds=0) as connection:
        await fill(connection, rows)
        users = [str(uuid4()) for _ in range(clients)]
        await plant(
            connection,
            {
                "auth.users": [(user, "now") for user in users],
                "org_members": [(ORG, user, "admin", "now") for user in users],
            },
        )
    async with database(settings) as pool, reading(settings) as api:
        for collection, table, change in (
            ("dead-letters", "dlq_events", change_letters),
            ("audit-log", "audit_log", append_entries),
        ):
            lasting = [str(row["id"]) for row in await pool.fetch(f"SELECT id FROM {table}")]
            await walk_all(api, pool, collection, lasting, change, users)


async def walk_all(
    api: ReadApi, pool: Pool, collection: str, lasting: list[str], change: Change, users: list[str]
) -> None:
    changes = 0

    async def keep_changing() -> None:
        nonlocal changes
        while True:
            await change(pool, lasting)
            changes += 1
            await asyncio.sleep(PAUSE_SECONDS)

    numbers = {id_: number for number, id_ in enumerate(lasting)}
    changing = asyncio.create_task(keep_changing())
    started = time.perf_counter()
    found = await asyncio.gather(*(walk(api, collection, user, Seen(numbers)) for user in users))
    seconds = time.perf_counter() - started
    changing.cancel()
    await asyncio.wait({changing})
    pages = sum(seen.pages for seen in found)
    rate = pages / seconds
    say(f"{collection}: {len(users)} clients, {pages} pages of {LIMIT} in {seconds:.0f} s: {rate:.0f} pages/s")
    say(f"  requests refused, and sent again: {sum(seen.refused for seen in found)}")
    say(f"  rows there throughout: {len(lasting)}; changes meanwhile: {changes}")
    say(
        f"  of all clients: {sum(seen.count(1) for seen in found)} seen once,"
        f" {sum(seen.count(0) for seen in found)} missed, {sum(seen.count(2) for seen in found)} seen twice"
    )
    others, again = sum(seen.others for seen in found), sum(seen.others_again for seen in found)
    say(f"  rows that came or went: {others} seen, {again} of them twice")


async def walk(api: ReadApi, collection: str, user: str, seen: Seen) -> Seen:
    query: dict[str, Any] = {}
    while True:
        answer = await api.get(f"/v1/orgs/{ORG}/{collection}", f"user:{user}", limit=LIMIT, **query)
        if answer.status_code in {429, 503}:
            # Under other load, a request may wait too long for a connection.
            seen.refused += 1
            await asyncio.sleep(float(answer.headers["retry-after"]))
            continue
        assert answer.status_code == 200, answer.text
        page = answer.json()
        seen.add([item["id"] for item in page["items"]])
        if page["next"] is None:
            return seen
        query["cursor"] = page["next"]


async def change_letters(pool: Pool, lasting: list[str]) -> None:
    """Adds five dead letters and deletes three of these. Resolves five lasting ones, or makes them pending again."""
    added = [str(uuid4()) for _ in range(5)]
    await pool.execute(NEW_LETTERS, added)
    await pool.execute(FLIPPED_LETTERS, random.sample(lasting, 5))
    await pool.execute("DELETE FROM dlq_events WHERE id = ANY ($1::uuid[])", added[:3])


async def append_entries(pool: Pool, _: list[str]) -> None:
    await pool.execute(NEW_ENTRIES, [str(uuid4())], ORG, OWNER)


if __name__ == "__main__":
    main()
