"""The examples in the OpenAPI document."""

from typing import Any, Final

from daybook_infra.runtime.http.example_ids import COMMAND_ID, ENTRY_ID, ORG_ID, POSITION, USER_ID

CREATE_ORG: Final[dict[str, Any]] = {"type": "CREATE_ORG", "org_id": ORG_ID, "data": {"name": "Harbour Books"}}
ADD_MEMBER: Final[dict[str, Any]] = {
    "id": COMMAND_ID,
    "type": "ADD_MEMBER",
    "org_id": ORG_ID,
    "data": {"user_id": USER_ID, "role": "admin"},
}
CREATE_PROJECT: Final[dict[str, Any]] = {"type": "CREATE_PROJECT", "org_id": ORG_ID, "data": {"name": "Storefront"}}
REGISTER_USER: Final[dict[str, Any]] = {"type": "REGISTER_USER", "data": {"user_id": USER_ID}}

TRACEPARENT: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
VALUES: Final = (CREATE_ORG, ADD_MEMBER, CREATE_PROJECT, REGISTER_USER)
COMMANDS: Final = {value["type"]: {"value": value} for value in VALUES}

ACCEPTED: Final[dict[str, Any]] = {
    "command_id": COMMAND_ID,
    "entries": [{"id": ENTRY_ID, "action": "ADD_MEMBER", "entity_type": "org_member", "entity_id": USER_ID}],
    "position": POSITION,
    "result": "success",
}
PENDING: Final[dict[str, Any]] = {
    "command_id": COMMAND_ID,
    "location": f"/v1/orgs/{ORG_ID}/commands/{COMMAND_ID}",
    "status": 202,
}
REJECTED: Final[dict[str, Any]] = {
    "type": "urn:daybook:problem:ALREADY_MEMBER",
    "title": "Already a member",
    "status": 409,
    "detail": "the user is a member already",
    "code": "ALREADY_MEMBER",
    "command_id": COMMAND_ID,
    "entry_id": ENTRY_ID,
    "position": POSITION,
}
OUTCOME: Final[dict[str, Any]] = {**ACCEPTED, "status": 200}
