"""The read API on a real database: filters, pages, refusals, and which rows each caller sees."""

import asyncio
import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from daybook_contracts.senders.principals import User
from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.health import Health
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.main import open_app
from daybook_projector.read_api import database, page_sql
from daybook_projector.read_api.cursors import encode_cursor, filter_hash
from daybook_projector.read_api.database import ReadDatabase
from daybook_projector.read_api.reader import Reader
from support.door_doubles import problem_of
from support.driving import fresh_id
from support.read_scene import ReadScene
from support.reading import ReadApi, reading

SHARED_DATABASE = True
TIME = "2026-11-22T15:10:13+00:00"


async def test_users_see_only_orgs_of_which_they_are_members(api: ReadApi, scene: ReadScene) -> None:
    org = scene.own
    expected = {"id": org.org_id, "name": "Harbour Books", "created_at": "2026-11-22T15:10:00.000000Z"}
    assert await api.items("/v1/orgs", f"user:{org.member}") == [expected]
    assert await api.items("/v1/orgs", f"user:{scene.stranger}") == []
    assert (await api.get(org.path, f"user:{org.member}")).json() == expected
    assert (await api.get(scene.other.path, f"user:{org.member}")).status_code == 404


async def test_a_collection_has_the_columns_of_its_table(api: ReadApi, scene: ReadScene) -> None:
    org = scene.own
    runs = await api.items(f"{org.path}/sync-runs", f"user:{org.owner}")
    assert [run["id"] for run in runs] == list(org.runs)[::-1]
    assert runs[-1] == {
        "id": org.runs[0],
        "connection_id": org.connections[0],
        "status": "running",
        "started_at": "2026-11-22T15:10:20.000000Z",
        "finished_at": None,
        "error_message": None,
    }


COLLECTIONS = (
    "members",
    "projects",
    "projects/{0}/members",
    "projects/{1}/members",
    "connections",
    "sync-runs",
    "dead-letters",
    "alerts",
    "secret-refs",
    "audit-log",
)
# How many rows of each collection each person sees, in the order of COLLECTIONS. `member` is in no project.
VISIBLE = {
    "owner": (5, 2, 2, 0, 2, 8, 8, 6, 3, 12),
    "admin": (5, 2, 2, 0, 2, 8, 8, 6, 3, 12),
    "member": (5, 2, 0, 0, 0, 0, 0, 0, 0, 0),
    "editor": (5, 2, 2, 0, 1, 4, 4, 3, 0, 0),
    "watcher": (5, 2, 2, 0, 1, 4, 0, 3, 0, 0),
}


@pytest.mark.parametrize("person", VISIBLE)
async def test_each_person_sees_the_rows_that_the_policies_allow(api: ReadApi, scene: ReadScene, person: str) -> None:
    principal, paths = f"user:{getattr(scene.own, person)}", [each.format(*scene.own.projects) for each in COLLECTIONS]
    # One row per page, because a page without a visible row must not end the walk.
    found = [await api.walk(f"{scene.own.path}/{path}", principal, limit=1) for path in paths]
    assert tuple(map(len, found)) == VISIBLE[person]


async def test_a_service_reads_everything(api: ReadApi, scene: ReadScene) -> None:
    orgs = await api.walk("/v1/orgs", "service:worker", limit=1)
    assert {org["id"] for org in orgs} == {scene.own.org_id, scene.other.org_id}
    entries = await api.walk(f"{scene.other.path}/audit-log", "service:worker", limit=5)
    assert [entry["id"] for entry in entries] == list(scene.other.entries)[::-1]


FILTERS = (
    ("members", {"role": "member"}, 2),
    ("connections", {"type": "crm"}, 1),
    ("connections", {"active": "true"}, 1),
    ("connections", {"project": "{project}"}, 1),
    ("sync-runs", {"status": "failed"}, 2),
    ("sync-runs", {"project": "{project}"}, 4),
    ("sync-runs", {"connection": "{connection}", "status": "success"}, 1),
    ("sync-runs", {"since": "2026-11-22T15:10:20.000002Z"}, 6),
    ("sync-runs", {"until": "2026-11-22T16:10:20.000002+01:00"}, 2),
    ("dead-letters", {"status": "pending"}, 4),
    ("dead-letters", {"connection": "{connection}", "status": "resolved"}, 2),
    ("alerts", {"severity": "info"}, 2),
    ("alerts", {"project": "{project}", "severity": "critical"}, 1),
    ("audit-log", {"action": "ADD_MEMBER"}, 3),
    ("audit-log", {"result": "failure"}, 4),
    ("audit-log", {"actor": "{owner}", "result": "success"}, 4),
    ("audit-log", {"entity": "{org}", "entity_type": "org"}, 12),
    ("audit-log", {"entity": "{owner}"}, 0),
    ("audit-log", {"since": "2026-11-22T15:10:10.000004Z", "until": "2026-11-22T15:10:11.000010Z"}, 6),
)


@pytest.mark.parametrize(("collection", "filters", "expected"), FILTERS)
async def test_filters_choose_rows(
    api: ReadApi, scene: ReadScene, collection: str, filters: dict[str, str], expected: int
) -> None:
    org = scene.own
    known = {"project": org.projects[0], "connection": org.connections[0], "owner": org.owner, "org": org.org_id}
    asked = {name: value.format(**known) for name, value in filters.items()}
    found = await api.walk(f"{org.path}/{collection}", f"user:{org.owner}", limit=2, **asked)
    assert len(found) == expected
    assert len({tuple(sorted(map(str, row.items()))) for row in found}) == expected


async def test_a_filter_without_an_index_looks_at_few_rows_per_page(
    api: ReadApi, scene: ReadScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_sql, "SCANNED_ROWS", 3)
    path, principal = f"{scene.own.path}/audit-log", f"user:{scene.own.owner}"
    first = (await api.get(path, principal, action="ADD_MEMBER")).json()
    assert (first["items"], first["next"] is None) == ([], False)
    found = await api.walk(path, principal, action="ADD_MEMBER")
    assert [entry["id"] for entry in found] == [scene.own.entries[at] for at in (8, 4, 0)]


async def test_a_page_of_large_rows_has_fewer_items(
    api: ReadApi, scene: ReadScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "MAX_PAGE_BYTES", 200)
    path, principal = f"{scene.own.path}/audit-log", f"user:{scene.own.owner}"
    assert 1 <= len(await api.items(path, principal)) < 12
    assert len(await api.walk(path, principal)) == 12


async def test_a_cursor_belongs_to_its_filters(api: ReadApi, scene: ReadScene) -> None:
    path, principal = f"{scene.own.path}/dead-letters", f"user:{scene.own.owner}"
    cursor = (await api.get(path, principal, limit=1, status="pending")).json()["next"]
    same = await api.get(path, principal, limit=2, status="pending", cursor=cursor)
    assert len(same.json()["items"]) == 2
    others: tuple[dict[str, Any], ...] = ({}, {"status": "resolved"})
    for other in others:
        assert problem_of(await api.get(path, principal, cursor=cursor, **other)) == (400, "INVALID_QUERY")
    for elsewhere in (f"{scene.other.path}/dead-letters", f"{scene.own.path}/sync-runs"):
        refused = await api.get(elsewhere, principal, cursor=cursor, status="pending")
        assert problem_of(refused) == (400, "INVALID_QUERY")


WRONG_QUERIES = (
    {"limit": "0"},
    {"limit": "501"},
    {"limit": "x"},
    {"limit": ["1", "2"]},
    {"colour": "red"},
    {"cursor": "x"},
    {"cursor": "x" * 5000},
    {"cursor": "ÿ"},
    {"after": "3"},
    {"after": "1.5"},
    {"after": "0.1234567890123456789"},
    {"since": "yesterday"},
    {"since": "2026-11-22T15:10:13"},
    {"since": "0001-01-01T00:00:00+23:59"},
    {"until": "1700000000"},
    {"actor": "me"},
    {"actor": "\x00"},
    {"result": "maybe"},
    {"action": "\x00"},
    {"action": "x" * 65},
    {"project": "{" + "0199f000-0000-7000-8000-00000000b00c" + "}"},
)


@pytest.mark.parametrize("query", WRONG_QUERIES, ids=str)
async def test_a_wrong_query_is_refused(api: ReadApi, scene: ReadScene, query: dict[str, Any]) -> None:
    answer = await api.get(f"{scene.own.path}/audit-log", f"user:{scene.own.owner}", **query)
    assert problem_of(answer) == (400, "INVALID_QUERY")


async def test_forged_cursors_are_refused_or_start_at_another_row(api: ReadApi, scene: ReadScene) -> None:
    path, principal = f"{scene.own.path}/audit-log", f"user:{scene.own.owner}"
    walk = filter_hash("/v1/orgs/{org_id}/audit-log", {"org_id": scene.own.org_id}, {})
    for made in ([walk], [walk, "now", fresh_id()], [walk, TIME, "1"], [walk, TIME, 1], {"a": 1}, [walk, TIME, TIME]):
        cursor = base64.urlsafe_b64encode(json.dumps(made).encode()).decode()
        assert problem_of(await api.get(path, principal, cursor=cursor)) == (400, "INVALID_QUERY")
    moment = datetime(2026, 11, 22, 15, 10, 10, 3, tzinfo=UTC)
    cursor = encode_cursor(walk, (moment, "00000000-0000-0000-0000-000000000000"))
    assert len(await api.items(path, principal, cursor=cursor)) == 3


async def test_without_a_valid_token_every_request_is_refused(api: ReadApi, scene: ReadScene) -> None:
    for path in ("/v1/orgs", f"{scene.own.path}/members?colour=red", "/v1/positions/0.1"):
        assert problem_of(await api.client.get(path)) == (401, "UNAUTHENTICATED")
        wrong = {"Authorization": "Bearer x.y.z"}
        assert problem_of(await api.client.get(path, headers=wrong)) == (401, "UNAUTHENTICATED")


async def test_a_user_has_a_rate_limit(settings: Settings, scene: ReadScene) -> None:
    limited = settings.model_copy(update={"rate": 0.01, "burst": 2})
    async with reading(settings) as api, open_app(limited, Health(), CollectorRegistry(), asyncio.Event()) as app:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://slow")
        slow = ReadApi(client, api.settings, api.app, api.registry)
        answers = [await slow.get("/v1/orgs", f"user:{scene.own.owner}") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert problem_of(answers[2]) == (429, "TOO_MANY_REQUESTS")
        assert int(answers[2].headers["retry-after"]) > 0
        assert (await slow.get("/v1/orgs", f"user:{scene.own.admin}")).status_code == 200


async def test_a_service_reads_only_the_orgs_of_its_policy(
    settings: Settings, scene: ReadScene, tmp_path: Path
) -> None:
    policy = tmp_path / "services.toml"
    policy.write_text(f'[worker]\ncommands = []\norgs = ["{scene.own.org_id}"]\n[all]\ncommands = []\norgs = "*"\n')
    keys = {"services": str(policy), "door_key": SecretStr("a" * 40)}
    async with reading(settings.model_copy(update=keys)) as api:
        assert [org["id"] for org in await api.items("/v1/orgs", "service:worker")] == [scene.own.org_id]
        assert len(await api.items("/v1/orgs", "service:all")) == 2
        assert (await api.get(f"{scene.own.path}/audit-log", "service:worker")).status_code == 200
        for path in (scene.other.path, f"{scene.other.path}/audit-log"):
            assert problem_of(await api.get(path, "service:worker")) == (404, "NOT_FOUND")
        assert problem_of(await api.get("/v1/orgs", "service:unlisted")) == (403, "FORBIDDEN")


async def test_head_answers_with_the_headers_of_get(api: ReadApi, scene: ReadScene) -> None:
    answer = await api.head(f"{scene.own.path}/members", f"user:{scene.own.owner}")
    assert (answer.status_code, answer.headers["daybook-position"]) == (200, "0.23")


async def test_missing_roles_are_an_outage(pool: Pool, api: ReadApi, scene: ReadScene) -> None:
    caller = Reader(User(scene.own.owner), "daybook_nobody", "{}")
    with pytest.raises(DatabaseAway, match="daybook_nobody"):
        async with ReadDatabase(pool).snapshot(caller):
            pass
