"""Runs docs/examples/shop_api.py, a web service that publishes in its request handlers, against a running system."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from daybook_infra.runtime.postgres.connections import Connection
from support.documents import ROOT
from support.driving import Tenant, eventually, until_projected
from support.processes import System, free_port
from support.publisher import token


@pytest.fixture
async def shop(system: System) -> AsyncIterator[httpx.AsyncClient]:
    port = free_port()
    env = {"DAYBOOK_URL": system.commands[0].url, "DAYBOOK_TOKEN": token(system.settings, "service:shop")}
    argv = [sys.executable, "-m", "uvicorn", "shop_api:app", "--port", str(port), "--log-level", "warning"]
    with subprocess.Popen(argv, cwd=ROOT / "docs" / "examples", env=os.environ | env) as process:  # noqa: ASYNC220
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False) as client:
                await eventually(lambda: listens(client), seconds=30)
                yield client
        finally:
            process.terminate()


async def listens(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/openapi.json")).is_success
    except httpx.ConnectError:
        return False


async def test_a_repeated_request_is_one_command_and_a_rejection_reaches_the_caller(
    shop: httpx.AsyncClient, database: Connection, tenant: Tenant
) -> None:
    path, key = f"/orgs/{tenant.org_id}/shops", str(uuid4())
    headers = {"user-id": tenant.owner, "idempotency-key": key}
    answers = [await shop.post(path, json={"name": "Storefront"}, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    first, second = (answer.json() for answer in answers)
    assert first == second
    await until_projected(database, [first["position"]])
    assert await database.fetchval("SELECT name FROM projects WHERE id = $1", first["shop_id"]) == "Storefront"
    refused = await shop.post(
        path, json={"name": "x"}, headers={"user-id": tenant.viewer, "idempotency-key": str(uuid4())}
    )
    assert (refused.status_code, refused.json()) == (403, {"detail": "FORBIDDEN"})
