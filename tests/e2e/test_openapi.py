"""The APIs of a running system answer as their OpenAPI documents say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from support.driving import Tenant
from support.openapi import Target, report_of_random_requests
from support.processes import System
from support.publisher import Door, item
from support.workload import SERVICE

APIS: Final[dict[str, Callable[[System], str]]] = {
    "command": lambda system: system.commands[0].url,
    "read": lambda system: system.projectors[0].url,
}


@pytest.fixture(params=APIS)
def url(system: System, request: pytest.FixtureRequest) -> str:
    return APIS[request.param](system)


async def document_of(url: str) -> dict[str, Any]:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{url}/openapi.json")
    return dict(answer.json())


async def test_the_document_is_valid_openapi(url: str) -> None:
    OpenAPIV31SpecValidator(await document_of(url)).validate()


async def test_every_operation_has_an_example_of_each_answer(url: str) -> None:
    paths = (await document_of(url))["paths"]
    without = [
        (path, method, status, media_type)
        for path, operations in paths.items()
        for method, operation in operations.items()
        for status, answer in operation["responses"].items()
        for media_type, content in answer.get("content", {}).items()
        if not content.keys() & {"example", "examples"}
    ]
    assert without == []


async def test_random_requests_are_answered_as_documented(url: str, door: Door, tenant: Tenant, tmp_path: Path) -> None:
    position = item(await door.send(tenant.rename("Renamed")))["position"]
    target = Target(url, door.bearer(SERVICE)["Authorization"], tenant.org_id, position)
    report = await report_of_random_requests(target, "examples,fuzzing", tmp_path)
    assert not report, report
