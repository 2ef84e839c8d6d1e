"""The OpenAPI document. FastAPI describes its own routes. The two routes for commands read raw bodies, so this module
describes them.
"""

from typing import Final

import msgspec
from fastapi import FastAPI
from pydantic import TypeAdapter

from daybook_command.http import examples
from daybook_contracts.codes import TOO_LARGE_STATUS, Code
from daybook_contracts.commands.registry import COMMANDS, AnyCommand
from daybook_contracts.limits import BATCH_ITEMS, IDEMPOTENCY_KEY_LENGTH
from daybook_contracts.results import Accepted, Pending
from daybook_infra.runtime.http.openapi import (
    REF,
    SECURED,
    Schema,
    answer,
    describe_routes,
    invalid_answer,
    secured_problems,
)
from daybook_infra.runtime.http.problems import PROBLEM_JSON

# Codes of look-ups and of the read API.
_NEVER_FOR_A_COMMAND: Final = frozenset({Code.NOT_FOUND, Code.INVALID_QUERY, Code.NOT_PROJECTED})
COMMAND: Final = {"$ref": REF.format("Command")}
DESCRIPTION: Final = (
    "An event-sourced tenancy and integration hub. Send commands here, and read what they changed from the tables. "
    "Every command has one outcome. If you send it again with the same id, you get the same outcome."
)


def describe(app: FastAPI) -> Schema:
    """The OpenAPI document, made on the first call."""
    if app.openapi_schema is None:
        document = describe_routes(app, DESCRIPTION)
        document["components"]["schemas"].update({**_commands(), **_results()})
        document["paths"] = {**_hot_paths(), **document["paths"]}
        app.openapi_schema = document
    return app.openapi_schema


def _commands() -> dict[str, Schema]:
    """A schema for each command, and `Command`, their union."""
    schema = TypeAdapter(AnyCommand).json_schema(ref_template=REF.replace("{}", "{model}"))
    schemas: dict[str, Schema] = schema.pop("$defs")
    for model in COMMANDS.values():
        # Over HTTP, the service makes an id if the command has none.
        schemas[model.__name__]["required"].remove("id")
        members = schemas[model.__name__]["properties"]
        members["id"] = _nullable(members["id"])
    return {**schemas, "Command": schema}


def _nullable(schema: Schema) -> Schema:
    """The same schema, or null. The title and the description stay outside the `anyOf`."""
    inside = dict(schema)
    outside: Schema = {name: inside.pop(name) for name in ("description", "title") if name in schema}
    return {"anyOf": [inside, {"type": "null"}], **outside}


def _results() -> dict[str, Schema]:
    _, schemas = msgspec.json.schema_components((Accepted, Pending), ref_template=REF.replace("{}", "{name}"))
    item = {"oneOf": [{"$ref": REF.format(name)} for name in ("Accepted", "Rejected", "Pending")]}
    return {**schemas, "Item": {**item, "description": "A single call's answer, with its `status`."}}


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
                example="invoice-1042",
                minLength=1,
                maxLength=IDEMPOTENCY_KEY_LENGTH,
            ),
            _header(
                "Prefer", "`respond-async`: answers 202 as soon as the command is stored.", example="respond-async"
            ),
            _header("traceparent", "W3C Trace Context. It is passed on to the entries.", example=examples.TRACEPARENT),
        ],
        "requestBody": _body(COMMAND, examples.COMMANDS),
        "responses": {
            "200": answer("Accepted and logged.", REF.format("Accepted"), examples.ACCEPTED),
            "202": {
                **answer("Stored, but not decided yet.", REF.format("Pending"), examples.PENDING),
                "headers": {"Location": {"description": "The path of the outcome.", "schema": {"type": "string"}}},
            },
            **_problems_of_a_command(),
            "413": invalid_answer("the body is over 256 KiB", TOO_LARGE_STATUS),
        },
    }


def _batch() -> Schema:
    array = {"type": "array", "minItems": 1, "maxItems": BATCH_ITEMS, "items": COMMAND}
    items = {"type": "array", "items": {"$ref": REF.format("Item")}}
    return {
        **_operation("Send up to 1000 commands", "send_commands"),
        "description": "Answers in the same order. One org's commands are decided in the order given.",
        "parameters": [_prefer("all commands are stored")],
        "requestBody": _body(array, {"two commands": {"value": list(examples.VALUES[:2])}}),
        "responses": {
            "200": _answers("Each item's own answer.", items, [examples.OUTCOME, examples.REJECTED]),
            "202": _answers("As 200, but without waiting for the decisions.", items, [examples.PENDING] * 2),
            **secured_problems(Code.INVALID_COMMAND),
            "413": invalid_answer("the body is over 4 MiB", TOO_LARGE_STATUS),
        },
    }


def _answers(description: str, schema: Schema, example: list[Schema]) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema, "example": example}}}


def _operation(summary: str, name: str) -> Schema:
    return {"tags": ["commands"], "summary": summary, "operationId": name, **SECURED}


def _header(name: str, description: str, *, example: str, **rules: int) -> Schema:
    schema = {"type": "string", **rules}
    return {"name": name, "in": "header", "description": description, "schema": schema, "example": example}


def _prefer(when: str) -> Schema:
    return _header("Prefer", f"`respond-async`: answers 202 as soon as {when}.", example="respond-async")


def _body(schema: Schema, named: Schema) -> Schema:
    return {"required": True, "content": {"application/json": {"schema": schema, "examples": named}}}


def _problems_of_a_command() -> dict[int | str, Schema]:
    """The 409 response has one more example: a rejection with an entry. No other example has an entry in the log."""
    responses = secured_problems(*(code for code in Code if code not in _NEVER_FOR_A_COMMAND))
    responses["409"]["content"][PROBLEM_JSON]["examples"][Code.ALREADY_MEMBER.value] = {"value": examples.REJECTED}
    return responses
