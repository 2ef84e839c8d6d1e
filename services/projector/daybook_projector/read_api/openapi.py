"""Describes the read API for OpenAPI: a resource in, the options of its FastAPI routes out."""

from typing import Any, Final

from daybook_contracts.codes import Code
from daybook_infra.runtime.http.openapi import REF, SECURED, Schema, problems
from daybook_projector.read_api.parameters import POSITION_PATTERN
from daybook_projector.read_api.resource import Resource

POSITION: Final = "4.1"
ETAG: Final = '"k0cRr3pVYx1NWZ2o7dQm"'
AFTER: Final[Schema] = {
    "name": "Daybook-After",
    "in": "header",
    "description": "Wait until this position is in the tables, at most DAYBOOK_WAIT_SECONDS.",
    "schema": {"type": "string", "pattern": POSITION_PATTERN},
    "example": POSITION,
}
IF_NONE_MATCH: Final[Schema] = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of an earlier answer. If the answer has not changed, you get 304.",
    "schema": {"type": "string"},
    "example": ETAG,
}
ANSWER_HEADERS: Final[Schema] = {
    "Daybook-Position": {
        "description": "The last projected position of the org's partition. A page of orgs has one for each partition.",
        "schema": {"type": "string"},
        "example": POSITION,
    },
    "ETag": {"description": "Identifies the body.", "schema": {"type": "string"}, "example": ETAG},
}
REFUSALS: Final = (
    Code.INVALID_QUERY,
    Code.UNAUTHENTICATED,
    Code.FORBIDDEN,
    Code.NOT_FOUND,
    Code.TOO_MANY_REQUESTS,
    Code.ORG_QUARANTINED,
    Code.UNAVAILABLE,
    Code.NOT_PROJECTED,
)


def page_options(resource: Resource) -> dict[str, Any]:
    order = "newest first" if resource.newest_first else f"by {resource.order[0][0]}"
    return {
        "operation_id": f"list_{_name(resource)}",
        "summary": f"A page of {resource.title}, {order}",
        "description": "Has only rows that you may see. Pass `next` as `cursor` to get the next page, until `next` is"
        " null. A page may have fewer items than `limit`.",
        **_answers(page_schema(resource), {"items": [example_of(resource)], "next": None}),
        "openapi_extra": _parameters(resource.path),
    }


def item_options(resource: Resource) -> dict[str, Any]:
    return {
        "operation_id": f"get_{_name(resource)}",
        "summary": f"One of the {resource.title}",
        "description": "404 if there is no such row, or if you may not see it.",
        **_answers({"$ref": REF.format(resource.model.__name__)}, example_of(resource)),
        "openapi_extra": _parameters(resource.item_path),
    }


def position_options() -> dict[str, Any]:
    parameter = {
        "name": "position",
        "in": "path",
        "required": True,
        "description": "A position of the log, as in the answer to a command.",
        "schema": {"type": "string", "pattern": POSITION_PATTERN},
        "example": POSITION,
    }
    refused = (code for code in REFUSALS if code not in {Code.NOT_FOUND, Code.ORG_QUARANTINED})
    return {
        "operation_id": "wait_for_position",
        "summary": "Wait until a position is in the tables",
        "description": "Answers 204 once the position is in the tables.",
        "status_code": 204,
        "responses": {204: {"description": "The position is in the tables."}, **problems(*refused)},
        "openapi_extra": {**SECURED, "parameters": [parameter]},
    }


def page_schema(resource: Resource) -> Schema:
    return {
        "type": "object",
        "required": ["items", "next"],
        "additionalProperties": False,
        "properties": {
            "items": {"type": "array", "items": {"$ref": REF.format(resource.model.__name__)}},
            "next": {
                "description": "The cursor of the next page; null on the last page.",
                "anyOf": [{"type": "string"}, {"type": "null"}],
            },
        },
    }


def example_of(resource: Resource) -> Schema:
    extra: Any = resource.model.model_config.get("json_schema_extra")
    example: Schema = extra["example"]
    return example


def _answers(schema: Schema, example: Schema) -> dict[str, Any]:
    found = {
        "description": "The rows that you may see.",
        "headers": ANSWER_HEADERS,
        "content": {"application/json": {"schema": schema, "example": example}},
    }
    unchanged = {"description": "The answer still has the ETag in `If-None-Match`."}
    return {"responses": {200: found, 304: unchanged, **problems(*REFUSALS)}}


def _parameters(path: str) -> Schema:
    return {**SECURED, "parameters": [*path_parameters(path), AFTER, IF_NONE_MATCH]}


def path_parameters(path: str) -> list[Schema]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}} for name in names
    ]


def _name(resource: Resource) -> str:
    parts = [part for part in resource.path.split("/")[2:] if not part.startswith("{")]
    return "_".join(parts[-2:] if parts[-2:] == ["projects", "members"] else parts[-1:]).replace("-", "_")
