"""What the HTTP API reads from PostgreSQL: known users and outcomes of commands. Over 250 lines, because all tests need
the rows that a projector writes.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection
from uuid import UUID

import pytest

from daybook_command.postgres.known_users import MAX_ASKED, MAX_RULED_OUT, WAIT_SECONDS, KnownUsers
from daybook_command.postgres.outcomes import OutcomeReader
from daybook_contracts.entries.identity import Identity
from daybook_contracts.results import Accepted, Rejected
from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.postgres.connections import Pool
from suites.door import COMMAND, IDENTITY, DoorTables, DoorTablesContract
from support.door_doubles import ORG, OTHER, USER


async def add_user(pool: Pool, user_id: str) -> None:
    await pool.execute("INSERT INTO auth.users VALUES ($1::uuid, now())", user_id)


async def add_org(pool: Pool) -> None:
    await pool.execute("INSERT INTO orgs VALUES ($1::uuid, 'Ada', now())", ORG)


async def add_entry(
    pool: Pool, action: str, identity: Identity = IDENTITY, row_id: str | None = None, **metadata: object
) -> None:
    """Adds a row as the projector does."""
    entry = {
        "v": 1, "partition": 6, "position": 7 + identity.ordinal, "prev": "0" * 64, "hash": "0" * 64,
        "command_id": identity.command_id, "key": identity.key, "scope": identity.scope, "ordinal": identity.ordinal,
        "entries": 1, "request": "0" * 64, "principal": f"user:{USER}", "data": {}, "salt": "0" * 32,
        "commit": "0" * 64,
    }  # fmt: skip
    if identity.actor is not None:
        entry["data"] = {"actor_user_id": identity.actor}
    await pool.execute(
        "INSERT INTO audit_log (id, org_id, action, entity_type, entity_id, result, metadata_json, created_at)"
        " VALUES ($1::uuid, $2::uuid, $3, 'org', $2::uuid, $4, $5, now())",
        row_id or identity.first_id(),
        ORG,
        action,
        "failure" if "error" in metadata else "success",
        json.dumps(entry | metadata),
    )


class RealDoorTables(DoorTables):
    def __init__(self, pool: Pool) -> None:
        self._pool, self.users, self.outcomes = pool, KnownUsers(pool), OutcomeReader(pool)

    async def add_user(self, user_id: str) -> None:
        await add_user(self._pool, user_id)

    async def add_admin(self, user_id: str) -> None:
        await add_org(self._pool)
        await add_user(self._pool, user_id)
        await self._pool.execute("INSERT INTO org_members VALUES ($1::uuid, $2::uuid, 'admin', now())", ORG, user_id)

    async def add_renaming(self) -> None:
        await add_org(self._pool)
        await add_entry(self._pool, "RENAME_ORG")

    async def go_away(self) -> None:
        self._pool.terminate()


class TestDoorTables(DoorTablesContract):
    @pytest.fixture
    def tables(self, pool: Pool) -> DoorTables:
        return RealDoorTables(pool)


async def test_all_waits_for_a_user_end_when_the_user_is_added(pool: Pool) -> None:
    users = KnownUsers(pool)
    waiting = [asyncio.create_task(users.wait_for([USER])) for _ in range(50)]
    await asyncio.sleep(0)  # lets the waits begin
    assert not any(wait.done() for wait in waiting)
    await add_user(pool, USER)
    await asyncio.gather(*waiting)
    assert list(users.unseen([USER])) == []


async def test_an_existing_user_is_found_at_once_and_remembered(pool: Pool) -> None:
    await add_user(pool, USER)
    users = KnownUsers(pool)
    assert users.unseen([USER, OTHER]) == [USER, OTHER]
    async with asyncio.timeout(WAIT_SECONDS / 2):
        await users.wait_for([USER])
    assert users.unseen([USER, OTHER]) == [OTHER]


async def test_each_request_waits_a_second_for_a_missing_user(pool: Pool) -> None:
    users = KnownUsers(pool)
    loop = asyncio.get_running_loop()
    started = loop.time()
    await users.wait_for([USER])
    between = loop.time()
    await users.wait_for([USER])
    assert between - started >= WAIT_SECONDS - 0.01
    assert loop.time() - between >= WAIT_SECONDS - 0.01
    assert users.unseen([USER]) == [USER]


class RulesOut:
    """Rules out all users, each time after a call of `meanwhile`."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self.meanwhile = meanwhile

    async def ruled_out(self, user_ids: Collection[str]) -> frozenset[str]:
        await self.meanwhile()
        return frozenset(user_ids)


async def nothing() -> None: ...


class RulesOutOne:
    """Rules out USER, but none of the others, as if their partitions belonged to other instances."""

    async def ruled_out(self, user_ids: Collection[str]) -> frozenset[str]:
        return frozenset(user_ids) & {USER}


async def test_the_wait_for_a_user_who_will_not_come_ends_early(pool: Pool) -> None:
    users = KnownUsers(pool, RulesOut(nothing))
    async with asyncio.timeout(WAIT_SECONDS / 2):
        await users.wait_for([USER])
    assert users.unseen([USER]) == [USER]


async def test_a_user_is_ruled_out_although_many_others_cannot_be(pool: Pool) -> None:
    users = KnownUsers(pool, RulesOutOne())
    crowd = asyncio.create_task(users.wait_for([str(UUID(int=number)) for number in range(MAX_RULED_OUT)]))
    await asyncio.sleep(0)  # the crowd begins to wait
    await users.wait_for([USER])
    assert not crowd.done()
    await crowd


async def test_a_user_who_is_added_before_being_ruled_out_is_found(pool: Pool) -> None:
    users = KnownUsers(pool, RulesOut(lambda: add_user(pool, USER)))
    await users.wait_for([USER])
    assert users.unseen([USER]) == []


async def test_a_later_request_needs_a_check_of_its_own(pool: Pool) -> None:
    requests: list[asyncio.Task[None]] = []
    checks = 0

    async def ask_again() -> None:
        nonlocal checks
        checks += 1
        if not requests:
            requests.append(asyncio.create_task(users.wait_for([USER])))
            await asyncio.sleep(0)  # the request begins to wait

    users = KnownUsers(pool, RulesOut(ask_again))
    await users.wait_for([USER])
    await asyncio.gather(*requests)
    assert checks == 2


async def test_a_crowd_of_missing_users_does_not_delay_an_existing_user(pool: Pool) -> None:
    await add_user(pool, USER)
    users = KnownUsers(pool)
    crowd = asyncio.create_task(users.wait_for([str(UUID(int=number)) for number in range(MAX_ASKED)]))
    await asyncio.sleep(0)  # the crowd begins to wait
    await users.wait_for([USER])
    assert users.unseen([USER]) == []
    await crowd


async def test_without_the_database_there_is_no_wait(pool: Pool) -> None:
    users = KnownUsers(pool)
    pool.terminate()
    async with asyncio.timeout(WAIT_SECONDS / 2):
        await users.wait_for([USER])


async def test_the_outcome_of_an_accepted_command_has_all_its_entries(pool: Pool) -> None:
    await add_org(pool)
    await add_user(pool, USER)
    await add_entry(pool, "FAIL_SYNC", entries=2)
    await add_entry(pool, "RAISE_ALERT", IDENTITY.at(1), entries=2, principal="service:daybook")
    outcome = await OutcomeReader(pool).find(ORG, COMMAND, USER)
    assert outcome is not None
    assert isinstance(outcome.result, Accepted)
    assert [entry.action for entry in outcome.result.entries] == ["FAIL_SYNC", "RAISE_ALERT"]
    assert outcome.result.position == "6.8"
    assert (outcome.action, outcome.actor, outcome.org_id) == ("FAIL_SYNC", None, ORG)


async def test_the_outcome_of_a_rejected_command_has_its_code(pool: Pool) -> None:
    await add_org(pool)
    await add_entry(pool, "RENAME_ORG", error={"code": "FORBIDDEN", "detail": "no"})
    outcome = await OutcomeReader(pool).find(ORG, COMMAND, USER)
    assert outcome is not None
    assert isinstance(outcome.result, Rejected)
    assert (outcome.result.code, outcome.result.status, outcome.result.position) == ("FORBIDDEN", 403, "6.7")


async def test_a_redacted_entry_still_has_an_outcome(pool: Pool) -> None:
    await add_org(pool)
    await add_entry(pool, "RENAME_ORG", data=None, salt=None)
    outcome = await OutcomeReader(pool).find(ORG, COMMAND, USER)
    assert outcome is not None
    assert isinstance(outcome.result, Accepted)


async def test_outsiders_find_their_own_rejection_and_others_find_the_command_of_the_org(pool: Pool) -> None:
    await add_org(pool)
    await add_entry(pool, "RENAME_ORG")
    refused = {"code": "ORG_NOT_FOUND", "detail": "no"}
    await add_entry(pool, "RENAME_ORG", Identity("outsider", ORG, OTHER, COMMAND), error=refused)
    reader = OutcomeReader(pool)
    found = {actor: await reader.find(ORG, COMMAND, actor) for actor in (OTHER, USER, None)}
    assert {actor: type(outcome.result) for actor, outcome in found.items() if outcome is not None} == {
        OTHER: Rejected,
        USER: Accepted,
        None: Accepted,
    }
    assert [outcome and outcome.actor for outcome in found.values()] == [OTHER, None, None]


async def test_a_policy_entry_is_not_an_outcome(pool: Pool) -> None:
    await add_org(pool)
    await add_entry(pool, "FAIL_SYNC", Identity("policy", ORG, None, COMMAND))
    assert await OutcomeReader(pool).find(ORG, COMMAND, None) is None


async def test_an_entry_is_found_under_its_second_id_if_its_first_is_taken(pool: Pool) -> None:
    await add_org(pool)
    other = Identity("org", ORG, None, "01890000-0000-7000-8000-0000000000ff")
    await add_entry(pool, "RENAME_ORG", other, row_id=IDENTITY.first_id(), error={"code": "FORBIDDEN", "detail": "no"})
    reader = OutcomeReader(pool)
    assert await reader.find(ORG, COMMAND, None) is None
    await add_entry(pool, "RENAME_ORG", row_id=IDENTITY.second_id())
    outcome = await reader.find(ORG, COMMAND, None)
    assert outcome is not None
    assert isinstance(outcome.result, Accepted)
    assert outcome.result.entries[0].id == IDENTITY.first_id()


async def test_reading_an_outcome_from_a_locked_table_times_out(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daybook_command.postgres.outcomes.MAX_LOOKUP_SECONDS", 0.2)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE audit_log, org_members IN ACCESS EXCLUSIVE MODE")
        reader = OutcomeReader(pool)
        for look in (reader.find(ORG, COMMAND, USER), reader.role(ORG, USER)):
            with pytest.raises(DatabaseAway):
                await look
    assert await reader.find(ORG, COMMAND, USER) is None
