"""The parts that the OpenAPI documents of both services share: the security scheme, problems, and the descriptions of
FastAPI's routes.
"""

from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from daybook_contracts.codes import HTTP_STATUS, SENTENCE, TITLE, Code
from daybook_contracts.results import Rejected, problem
from daybook_infra.runtime.http.problems import PROBLEM_JSON

Schema = dict[str, Any]

REF: Final = "#/components/schemas/{}"
SECURED: Final[Schema] = {"security": [{"token": []}]}
# What each operation that needs a token may answer, besides its own codes.
_FOR_ANY_CALLER: Final = (
    Code.UNAUTHENTICATED,
    Code.FORBIDDEN,
    Code.TOO_MANY_REQUESTS,
    Code.UNAVAILABLE,
    Code.INTERNAL,
)


def describe_routes(app: FastAPI, description: str) -> Schema:
    """The document of FastAPI's own routes, with the schema of problems and the security scheme of `SECURED`."""
    document = get_openapi(title=app.title, version=app.version, description=description, routes=app.routes)
    components = document.setdefault("components", {})
    _, problems_schema = msgspec.json.schema_components((Rejected,), ref_template=REF.replace("{}", "{name}"))
    components.setdefault("schemas", {}).update(problems_schema)
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    _drop_validation_errors(document)
    return document


def answer(description: str, ref: str, example: Schema) -> Schema:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": ref}, "example": example}},
    }


def problems(*codes: Code) -> dict[int | str, Schema]:
    """One response for each status that these codes have, with an example for each code."""
    by_status: dict[int, list[Code]] = {}
    for code in codes:
        by_status.setdefault(HTTP_STATUS[code], []).append(code)
    return {
        str(status): problem_answer(", ".join(found), {code.value: _example(code) for code in found})
        for status, found in sorted(by_status.items())
    }


def secured_problems(*codes: Code) -> dict[int | str, Schema]:
    """The refusals of an operation that needs a token: its own codes, any caller's codes, and the server's limits."""
    responses = problems(*dict.fromkeys((*codes, *_FOR_ANY_CALLER)))
    late = invalid_answer("the request did not arrive in time", 408)
    large = invalid_answer("the request line and the headers are too large", 431)
    return {**responses, "408": late, "431": large}


def invalid_answer(detail: str, status: int) -> Schema:
    """The response INVALID_COMMAND with a status of its own."""
    rejected = problem(Code.INVALID_COMMAND, detail, status=status)
    return problem_answer(f"INVALID_COMMAND: {detail}.", {"INVALID_COMMAND": rejected})


def problem_answer(description: str, examples: dict[str, Rejected]) -> Schema:
    """A response that is a problem; the examples have names."""
    named = {name: {"value": msgspec.to_builtins(example)} for name, example in examples.items()}
    content = {"schema": {"$ref": REF.format("Rejected")}, "examples": named}
    return {"description": description, "content": {PROBLEM_JSON: content}}


def _example(code: Code) -> Rejected:
    return problem(code, SENTENCE.get(code, f"{TITLE[code]}."))


def _drop_validation_errors(document: Schema) -> None:
    """FastAPI documents a 422 for every route with parameters, but these routes never answer 422."""
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
