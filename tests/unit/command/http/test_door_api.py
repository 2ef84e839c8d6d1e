"""The HTTP API apart from commands: errors, documentation, OpenAPI document, health."""

import json
from typing import Any

import pytest

from daybook_contracts.commands.registry import COMMANDS
from support.door_doubles import ORG, DoorAlone, problem_of, rename


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/commands", 405),
        ("PUT", "/v1/commands:batch", 405),
        ("DELETE", f"/v1/orgs/{ORG}/commands/{ORG}", 405),
        ("GET", "/docs/static/nothing.js", 404),
    ],
)
async def test_errors_of_the_framework_are_problems(door: DoorAlone, method: str, path: str, status: int) -> None:
    answer = await door.client.request(method, path)
    assert problem_of(answer)[0] == status
    assert ("allow" in answer.headers) == (status == 405)


async def test_a_bug_is_a_problem_without_details(door: DoorAlone) -> None:
    door.outcomes.error = RuntimeError("the password is hunter2")
    answer = await door.outcome(ORG, rename()["id"])
    assert problem_of(answer) == (500, "INTERNAL")
    assert "hunter2" not in answer.text


async def test_the_documentation_loads_nothing_from_other_servers(door: DoorAlone) -> None:
    page = await door.client.get("/docs")
    assert page.status_code == 200
    assert "https://" not in page.text
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert f"/docs/static/{asset}" in page.text
        assert (await door.client.get(f"/docs/static/{asset}")).status_code == 200


async def test_health_and_metrics_need_no_token(door: DoorAlone) -> None:
    door.health.fail("kafka", "away")
    paths = ("/livez", "/readyz", "/metrics")
    assert [(await door.client.get(path)).status_code for path in paths] == [200, 503, 200]


async def test_the_openapi_document_describes_every_command(door: DoorAlone) -> None:
    document = (await door.client.get("/openapi.json")).json()
    union = document["components"]["schemas"]["Command"]
    assert set(union["discriminator"]["mapping"]) == set(COMMANDS)
    assert {"/v1/commands", "/v1/commands:batch", "/v1/orgs/{key}/commands/{id}", "/livez"} <= document["paths"].keys()


async def test_every_reference_in_the_openapi_document_resolves(door: DoorAlone) -> None:
    document = (await door.client.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    assert set(references(document)) <= {f"#/components/schemas/{name}" for name in schemas}


async def test_the_examples_in_the_openapi_document_are_accepted(door: DoorAlone) -> None:
    document = (await door.client.get("/openapi.json")).json()
    examples = document["paths"]["/v1/commands"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    for example in examples.values():
        assert (await door.send(example["value"], "service:docs")).status_code == 200


async def test_the_openapi_document_lists_every_status(door: DoorAlone) -> None:
    document = (await door.client.get("/openapi.json")).json()
    responses = document["paths"]["/v1/commands"]["post"]["responses"]
    problems = {"400", "401", "403", "404", "408", "409", "413", "422", "429", "431", "500", "503"}
    assert set(responses) == {"200", "202", *problems}


async def test_each_documented_problem_has_examples_with_its_status(door: DoorAlone) -> None:
    document = (await door.client.get("/openapi.json")).json()
    documented = [
        (status, content["examples"])
        for path in document["paths"].values()
        for operation in path.values()
        for status, response in operation["responses"].items()
        for media_type, content in response.get("content", {}).items()
        if media_type == "application/problem+json"
    ]
    assert len(documented) > 10
    for status, examples in documented:
        assert {str(example["value"]["status"]) for example in examples.values()} == {status}


def references(node: Any) -> list[str]:
    found: list[str] = []
    json.loads(json.dumps(node), object_pairs_hook=lambda pairs: found.extend(v for k, v in pairs if k == "$ref"))
    return found
