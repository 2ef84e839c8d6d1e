"""The read API's OpenAPI document is complete, and its examples are valid."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from daybook_infra.runtime.health import Health
from daybook_infra.runtime.settings import Settings
from daybook_projector.main import open_app
from daybook_projector.read_api.resources import RESOURCES
from support.chain import Json
from support.documented_refusals import SETTINGS, undocumented_refusals
from support.tables import SCHEMA

Operation = dict[str, Any]


@pytest.fixture
async def app() -> AsyncIterator[FastAPI]:
    """Needs no server: the app opens connections only at the first request."""
    settings = Settings.model_validate({**SETTINGS, "database_url": "postgresql://nobody:x@localhost:1/none"})
    async with open_app(settings, Health(), CollectorRegistry(), asyncio.Event()) as app:
        assert isinstance(app, FastAPI)
        yield app


@pytest.fixture
def document(app: FastAPI) -> Json:
    return app.openapi()


async def test_refusals_of_any_caller_are_documented(app: FastAPI) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://projector") as client:
        assert await undocumented_refusals(client, "/v1/orgs/none") == set()


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: each.table)
def test_an_item_has_the_columns_of_its_table(resource: Any) -> None:
    columns = SCHEMA[resource.table]
    assert resource.columns == tuple(column.name for column in columns)
    for column in columns:
        field = resource.model.model_fields[column.name]
        may_be_null = type(None) in getattr(field.annotation, "__args__", ())
        assert column.type == "jsonb" or may_be_null == column.is_nullable, column


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: each.table)
def test_the_example_of_an_item_is_valid(resource: Any) -> None:
    resource.model.model_validate(resource.model.model_config["json_schema_extra"]["example"])


def test_every_endpoint_is_described(document: Json) -> None:
    paths = document["paths"]
    assert {path for each in RESOURCES for path in (each.path, each.item_path)} <= set(paths)
    reading = operations(document)
    assert len(reading) == 2 * len(RESOURCES) + 2
    ids = [operation["operationId"] for operation in reading.values()]
    assert len(set(ids)) == len(ids)
    for path, operation in reading.items():
        named = {each["name"]: each for each in operation["parameters"]}
        in_path = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        assert [name for name, each in named.items() if each["in"] == "path"] == in_path
        assert operation["security"] == [{"token": []}]
        assert operation["summary"]
        assert {"401", "400", "429", "503"} <= set(operation["responses"])
        for status, response in operation["responses"].items():
            for content in response.get("content", {}).values():
                assert content["schema"], (path, status)
                assert "example" in content or content["examples"], (path, status)


def descriptions(operation: Operation) -> Iterator[str]:
    """All texts written for the read API. Refusals are left out: their texts come from their codes."""
    answers = [answer for status, answer in operation["responses"].items() if int(status) < 400]
    headers = [header for answer in answers for header in answer.get("headers", {}).values()]
    for described in (operation, *operation["parameters"], *answers, *headers):
        # FastAPI puts the text of some optional parameters into their schema.
        yield described["description"] if "description" in described else described["schema"]["anyOf"][0]["description"]


def operations(document: Json) -> dict[str, Operation]:
    return {path: methods["get"] for path, methods in document["paths"].items() if path.startswith("/v1/")}


def test_descriptions_are_sentences(document: Json) -> None:
    texts = {text for operation in operations(document).values() for text in descriptions(operation)}
    assert len(texts) > 40
    sentence = re.compile(r"[A-Z].* .* .*\.")
    assert {text for text in texts if not sentence.fullmatch(text)} == set()


def test_an_operation_says_when_it_answers_404(document: Json) -> None:
    for path, operation in operations(document).items():
        assert ("404" in operation["responses"]) == ("404" in operation["description"]), path


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: each.path)
def test_a_collection_describes_its_filters(document: Json, resource: Any) -> None:
    described = [
        each["name"] for each in document["paths"][resource.path]["get"]["parameters"] if each["in"] == "query"
    ]
    assert described == ["limit", "cursor", "after", *(each.name for each in resource.all_filters)]
