"""The examples in the OpenAPI document."""

from typing import Any, Final

_ORG: Final = "3f0d9a52-6b1c-4f5e-9d4a-1c2b3a4d5e6f"
_USER: Final = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
_COMMAND: Final = "01930d5c-8a3b-7c1d-9e2f-0a1b2c3d4e5f"
_ENTRY: Final = "01930d5c-8a3b-8b7e-a4c1-5d2e8f907a6b"

CREATE_ORG: Final[dict[str, Any]] = {"type": "CREATE_ORG", "org_id": _ORG, "data": {"name": "Harbour Books"}}
ADD_MEMBER: Final[dict[str, Any]] = {
    "id": _COMMAND,
    "type": "ADD_MEMBER",
    "org_id": _ORG,
    "data": {"user_id": _USER, "role": "admin"},
}
CREATE_PROJECT: Final[dict[str, Any]] = {"type": "CREATE_PROJECT", "org_id": _ORG, "data": {"name": "Storefront"}}
REGISTER_USER: Final[dict[str, Any]] = {"type": "REGISTER_USER", "data": {"user_id": _USER}}

VALUES: Final = (CREATE_ORG, ADD_MEMBER, CREATE_PROJECT, REGISTER_USER)
COMMANDS: Final = {value["type"]: {"value": value} for value in VALUES}

ACCEPTED: Final[dict[str, Any]] = {
    "command_id": _COMMAND,
    "entries": [{"id": _ENTRY, "action": "ADD_MEMBER", "entity_type": "org_member", "entity_id": _USER}],
    "position": "3.1042",
    "result": "success",
}
PENDING: Final[dict[str, Any]] = {
    "command_id": _COMMAND,
    "location": f"/v1/orgs/{_ORG}/commands/{_COMMAND}",
    "status": 202,
}
REJECTED: Final[dict[str, Any]] = {
    "type": "urn:daybook:problem:ALREADY_MEMBER",
    "title": "Already a member",
    "status": 409,
    "detail": "the user is a member already",
    "code": "ALREADY_MEMBER",
    "command_id": _COMMAND,
    "entry_id": _ENTRY,
    "position": "3.1042",
}
OUTCOME: Final[dict[str, Any]] = {**ACCEPTED, "status": 200}
