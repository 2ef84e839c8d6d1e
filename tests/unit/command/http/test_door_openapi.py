"""The command API's OpenAPI document is valid, and random requests are answered as it says."""

from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from support.documented_refusals import SETTINGS, undocumented_refusals
from support.door_doubles import ORG, DoorAlone
from support.door_served import served
from support.openapi import Target, report_of_random_requests


async def test_the_document_is_valid_openapi(door: DoorAlone) -> None:
    OpenAPIV31SpecValidator(door.app.openapi()).validate()


async def test_refusals_of_any_caller_are_documented() -> None:
    async with served(DoorAlone(**SETTINGS)) as client:
        assert await undocumented_refusals(client, "/v1/orgs/none/commands/none") == set()


@pytest.mark.timeout(300)
async def test_thousands_of_requests_are_answered_as_documented(tmp_path: Path) -> None:
    door = DoorAlone("service:billing")
    async with served(door) as client:
        target = Target(str(client.base_url), door.bearer()["Authorization"], ORG, "6.7")
        report = await report_of_random_requests(target, "examples,coverage,fuzzing", tmp_path)
    assert not report, report
