"""Example commands, and the parser's result for raw ones."""

import json
from typing import Any

import pytest

from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.commands.registry import Command

COMMAND_ID = "01890000-0000-7000-8000-000000000002"
ORG = "00000000-0000-4000-8000-000000000001"
ACTOR = "00000000-0000-4000-8000-00000000000a"
THING = "00000000-0000-4000-8000-00000000000d"


def envelope(kind: str = "RENAME_ORG", data: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    """A valid envelope with `members` replaced or added; a member given as `...` is left out."""
    around = {"id": COMMAND_ID, "type": kind, "org_id": ORG, "actor_user_id": ACTOR}
    if kind == "REGISTER_USER":
        del around["org_id"]
    whole = {**around, "data": {"name": "x"} if data is None else data, **members}
    return {name: member for name, member in whole.items() if member is not ...}


def raw(kind: str = "RENAME_ORG", data: dict[str, Any] | None = None, **members: Any) -> bytes:
    return json.dumps(envelope(kind, data, **members)).encode()


def accepted(kind: str, data: dict[str, Any], **members: Any) -> Command:
    return parse_command(raw(kind, data, **members))


def refused(text: bytes) -> InvalidCommand:
    with pytest.raises(InvalidCommand) as caught:
        parse_command(text)
    return caught.value
