"""The command API's OpenAPI document is valid, and the API answers as it says, whatever is sent."""

from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from support.door_doubles import DoorAlone
from support.door_served import served
from support.openapi import report_of_random_requests


async def test_the_document_is_valid_openapi(door: DoorAlone) -> None:
    OpenAPIV31SpecValidator(door.app.openapi()).validate()


@pytest.mark.timeout(300)
async def test_thousands_of_requests_are_answered_as_documented(tmp_path: Path) -> None:
    door = DoorAlone("service:billing")
    async with served(door) as client:
        token = door.bearer()["Authorization"]
        report = await report_of_random_requests(str(client.base_url), token, tmp_path, "examples,coverage,fuzzing")
    assert not report, report
