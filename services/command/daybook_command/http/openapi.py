"""The OpenAPI document. FastAPI describes its own routes. The two routes for commands read raw bodies, so this module
describes them.
"""

from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from daybook_command.http import examples
from daybook_contracts.codes import HTTP_STATUS, Code
from daybook_contracts.commands.registry import COMMANDS, AnyCommand
from daybook_contracts.limits import BATCH_ITEMS
from daybook_contracts.results import Accepted, Pending, Rejected

Schema = dict[str, Any]

REF: Final = "#/components/schemas/{}"
COMMAND: Final = {"$ref": REF.format("Command")}
SECURED: Final[Schema] = {"security": [{"token": []}]}
DESCRIPTION: Final = (
    "An event-sourced tenancy and integration hub. Send commands here, and read what they changed from the tables. "
    "Every command has one outcome. If you send it again with the same id, you get the same outcome."
)


def describe(app: FastAPI) -> Schema:
    """The whole document. The app keeps it after the first call."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
        components = document.setdefault("components", {})
        components.setdefault("schemas", {}).update({**_commands(), **_results()})
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
        _drop_validation_errors(document)
        document["paths"] = {**_hot_paths(), **document["paths"]}
        app.openapi_schema = document
    return app.openapi_schema


def _drop_validation_errors(document: Schema) -> None:
    """FastAPI documents a 422 for every route with parameters, but these routes never answer 422."""
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)


def _commands() -> dict[str, Schema]:
    """A schema for each command, and `Command`, their union."""
    schema = TypeAdapter(AnyCommand).json_schema(ref_template=REF.replace("{}", "{model}"))
    schemas: dict[str, Schema] = schema.pop("$defs")
    for model in COMMANDS.values():
        # Over HTTP, the service makes an id if the command has none.
        schemas[model.__name__]["required"].remove("id")
    return {**schemas, "Command": schema}


def _results() -> dict[str, Schema]:
    _, schemas = msgspec.json.schema_components((Accepted, Rejected, Pending), ref_template=REF.replace("{}", "{name}"))
    item = {"oneOf": [{"$ref": REF.format(name)} for name in ("Accepted", "Rejected", "Pending")]}
    return {**schemas, "Item": {**item, "description": "The single call's body, with its `status`."}}


def _hot_paths() -> dict[str, Schema]:
    return {"/v1/commands": {"post": _single()}, "/v1/commands:batch": {"post": _batch()}}


def _single() -> Schema:
    return {
        **_operation("Send a command", "send_command"),
        "description": "Waits for the decision, unless you send `Prefer: respond-async`.",
        "parameters": [
            _header(
                "Idempotency-Key",
                "A UUID is the command's id. Any other text is hashed, with the sender's name, to an id.",
            ),
            _header("Prefer", "`respond-async`: answers 202 as soon as the command is stored."),
            _header("traceparent", "W3C Trace Context. It is passed on to the entries."),
        ],
        "requestBody": _body(COMMAND, examples.COMMANDS),
        "responses": {
            "200": answer("Accepted and logged.", REF.format("Accepted"), examples.ACCEPTED),
            "202": {
                **answer("Stored, but not decided yet.", REF.format("Pending"), examples.PENDING),
                "headers": {"Location": {"description": "The path of the outcome.", "schema": {"type": "string"}}},
            },
            **problems(*(code for code in Code if code is not Code.NOT_FOUND)),
            "413": _problem_answer("INVALID_COMMAND: the body is over 256 KiB."),
        },
    }


def _batch() -> Schema:
    array = {"type": "array", "minItems": 1, "maxItems": BATCH_ITEMS, "items": COMMAND}
    items = {"type": "array", "items": {"$ref": REF.format("Item")}}
    return {
        **_operation("Send up to 1000 commands", "send_commands"),
        "description": "Answers in the same order. One org's commands are decided in the order given.",
        "parameters": [_header("Prefer", "`respond-async`: answers 202 as soon as all commands are stored.")],
        "requestBody": _body(array, {"two commands": {"value": list(examples.VALUES[:2])}}),
        "responses": {
            "200": {"description": "Each item's own answer.", "content": {"application/json": {"schema": items}}},
            "202": {
                "description": "As 200, but without waiting for the decisions.",
                "content": {"application/json": {"schema": items}},
            },
            **problems(Code.INVALID_COMMAND, Code.UNAUTHENTICATED, Code.FORBIDDEN, Code.TOO_MANY_REQUESTS),
            "413": _problem_answer("INVALID_COMMAND: the body is over 4 MiB."),
        },
    }


def _operation(summary: str, name: str) -> Schema:
    return {"tags": ["commands"], "summary": summary, "operationId": name, **SECURED}


def _header(name: str, description: str) -> Schema:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}


def _body(schema: Schema, named: Schema) -> Schema:
    return {"required": True, "content": {"application/json": {"schema": schema, "examples": named}}}


def answer(description: str, ref: str, example: Schema) -> Schema:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": ref}, "example": example}},
    }


def _problem_answer(description: str) -> Schema:
    content = {"schema": {"$ref": REF.format("Rejected")}, "example": examples.REJECTED}
    return {"description": description, "content": {"application/problem+json": content}}


def problems(*codes: Code) -> dict[int | str, Schema]:
    """One response for each status that these codes have."""
    by_status: dict[int, list[Code]] = {}
    for code in codes:
        by_status.setdefault(HTTP_STATUS[code], []).append(code)
    return {str(status): _problem_answer(", ".join(by_status[status])) for status in sorted(by_status)}
