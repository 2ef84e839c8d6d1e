"""Describes the read API for OpenAPI: a resource in, the options of its FastAPI routes out."""

from collections.abc import Iterable
from typing import Any, Final

from daybook_contracts.codes import Code
from daybook_infra.runtime.http.openapi import REF, SECURED, Schema, secured_problems
from daybook_projector.read_api.parameters import POSITION_PATTERN
from daybook_projector.read_api.resource import Resource

POSITION: Final = "4.1"
ETAG: Final = '"k0cRr3pVYx1NWZ2o7dQm"'
AFTER: Final[Schema] = {
    "name": "Daybook-After",
    "in": "header",
    "description": "Waits until this position is in the tables, so that the answer shows it. If it is not there after"
    " DAYBOOK_WAIT_SECONDS, the answer is 504.",
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
        "description": "The last projected position of the org's partition, or of each org's partition for a page.",
        "schema": {"type": "string"},
        "example": POSITION,
    },
    "ETag": {"description": "Identifies the body, for `If-None-Match`.", "schema": {"type": "string"}, "example": ETAG},
}
NEVER_WITHOUT_AN_ORG: Final = frozenset({Code.NOT_FOUND, Code.ORG_QUARANTINED})
REFUSALS: Final = (Code.INVALID_QUERY, Code.NOT_FOUND, Code.ORG_QUARANTINED, Code.NOT_PROJECTED)


def page_options(resource: Resource) -> dict[str, Any]:
    order = "newest first" if resource.newest_first else f"ordered by {resource.order[0][0]}"
    return {
        "operation_id": f"list_{_name(resource)}",
        "summary": f"List {resource.title}, {order}",
        "description": f"Returns the {resource.title} that you may see, at most `limit` of them, {order}. To get the"
        " next page, pass `next` as `cursor` with the same filters, until `next` is null. A page may have fewer items"
        f" than `limit`. {_unseen(resource)}",
        **_answers(
            "The page has only items that you may see.",
            page_schema(resource),
            {"items": [example_of(resource)], "next": None},
            (code for code in REFUSALS if "{" in resource.path or code not in NEVER_WITHOUT_AN_ORG),
        ),
        "openapi_extra": _parameters(resource.path),
    }


def item_options(resource: Resource) -> dict[str, Any]:
    return {
        "operation_id": f"get_{_name(resource)}",
        "summary": f"Get {resource.noun}",
        "description": f"Returns {resource.noun} by its id. Answers 404 if there is none, or if you may not see it.",
        **_answers(
            "The item is the row of its table.",
            {"$ref": REF.format(resource.model.__name__)},
            example_of(resource),
            REFUSALS,
        ),
        "openapi_extra": _parameters(resource.item_path),
    }


def position_options() -> dict[str, Any]:
    parameter = {
        "name": "position",
        "in": "path",
        "required": True,
        "description": "The position in the answer to a command: the partition of its entry, and the entry's number"
        " in it.",
        "schema": {"type": "string", "pattern": POSITION_PATTERN},
        "example": POSITION,
    }
    refused = (code for code in REFUSALS if code not in NEVER_WITHOUT_AN_ORG)
    return {
        "operation_id": "wait_for_position",
        "summary": "Wait until a position is in the tables",
        "description": "Answers 204 as soon as the position is in the tables, so that you can wait for your command"
        " before you read. Answers 504 if the position is not there after `wait` seconds.",
        "status_code": 204,
        "responses": {204: {"description": "The position is in the tables."}, **secured_problems(*refused)},
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


def _unseen(resource: Resource) -> str:
    match path_ids(resource.path):
        case []:
            return "The page is empty if you are a member of no org."
        case ["org_id"]:
            return "Answers 404 if the org does not exist, or if you may not see it."
        case _:
            return "Answers 404 if the org or the project does not exist, or if you may not see it."


def _answers(description: str, schema: Schema, example: Schema, refused: Iterable[Code]) -> dict[str, Any]:
    found = {
        "description": description,
        "headers": ANSWER_HEADERS,
        "content": {"application/json": {"schema": schema, "example": example}},
    }
    unchanged = {"description": "The answer still has the ETag in `If-None-Match`."}
    return {"responses": {200: found, 304: unchanged, **secured_problems(*refused)}}


def _parameters(path: str) -> Schema:
    return {**SECURED, "parameters": [*path_parameters(path), AFTER, IF_NONE_MATCH]}


def path_parameters(path: str) -> list[Schema]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": f"Identifies the {name.removesuffix('_id').replace('_', ' ')}.",
            "schema": {"type": "string", "format": "uuid"},
        }
        for name in path_ids(path)
    ]


def path_ids(path: str) -> list[str]:
    """The names of the parameters in the path."""
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _name(resource: Resource) -> str:
    parts = [part for part in resource.path.split("/")[2:] if not part.startswith("{")]
    return "_".join(parts[-2:] if parts[-2:] == ["projects", "members"] else parts[-1:]).replace("-", "_")
