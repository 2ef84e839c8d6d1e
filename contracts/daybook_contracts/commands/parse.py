"""Bytes in, commands out, or InvalidCommand. Both doors come through here, so both refuse the same.

Order: a secret wins over every other fault; then strict JSON; then the envelope and its data.
"""

from collections.abc import Callable
from typing import Any

import pydantic

from daybook_contracts.codes import Code
from daybook_contracts.commands.faults import dotted, fault_text
from daybook_contracts.commands.invalid import InvalidCommand
from daybook_contracts.commands.normalised import normalised_bytes
from daybook_contracts.commands.registry import COMMANDS, Command
from daybook_contracts.limits import ENVELOPE_BYTES
from daybook_contracts.secret_scan import find_secret
from daybook_contracts.strict_json import NotStrictJson, members, parse_json, parse_loosely
from daybook_contracts.text import uuid_text

_KNOWN = ", ".join(COMMANDS)
_TOO_LARGE = f"the envelope must be at most {ENVELOPE_BYTES // 1024} KiB"

# Canonical numbers may be four times longer than written (1e15): only such an envelope is measured again.
_MAY_GROW_OVER = ENVELOPE_BYTES // 4

MakeId = Callable[[], str]


def parse_command(raw: bytes, *, default_id: MakeId | None = None) -> Command:
    """The normalised command of an envelope; `default_id` gives the id where the envelope has none."""
    if len(raw) > ENVELOPE_BYTES:
        raise _refused_unread(raw, _TOO_LARGE, too_large=True)
    try:
        value = parse_json(raw)
    except NotStrictJson as fault:
        where = f" at {dotted(fault.path)}" if fault.path else ""
        raise _refused_unread(raw, f"{fault.reason}{where}") from fault
    command = parse_envelope(value, default_id=default_id)
    if len(raw) > _MAY_GROW_OVER:
        _refuse_oversize(command)
    return command


def parse_envelope(value: object, *, default_id: MakeId | None = None) -> Command:
    """The normalised command of an envelope that was read strictly already."""
    _refuse_secret(value)
    if not isinstance(value, dict):
        raise InvalidCommand(Code.INVALID_COMMAND, "a command is a JSON object")
    if default_id is not None and value.get("id") is None:
        value = {**value, "id": default_id()}
    kind = value.get("type")
    model = COMMANDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise InvalidCommand(Code.INVALID_COMMAND, f"type must be one of {_KNOWN}", _readable_id(value))
    try:
        return model.model_validate(value)
    except pydantic.ValidationError as error:
        raise InvalidCommand(Code.INVALID_COMMAND, fault_text(error), _readable_id(value)) from None


def with_actor(command: Command, user_id: str) -> Command:
    """The command with its missing actor filled in; one that names an actor stays as it is."""
    if command.actor_user_id is not None:
        return command
    filled = command.model_copy(update={"actor_user_id": user_id})
    _refuse_oversize(filled)
    return filled


def _refuse_secret(value: Any) -> None:
    if path := find_secret(value):
        detail = f"{dotted(path)} looks like a secret; name a secret reference instead"
        raise InvalidCommand(Code.SECRET_IN_CONFIG, detail, _readable_id(value))


def _refuse_oversize(command: Command) -> None:
    # What one door publishes must pass the other.
    if len(normalised_bytes(command)) > ENVELOPE_BYTES:
        raise InvalidCommand(Code.INVALID_COMMAND, _TOO_LARGE, command.id, too_large=True)


def _refused_unread(raw: bytes, detail: str, *, too_large: bool = False) -> InvalidCommand:
    """Why a text is refused that was never read strictly; raises for a secret in it, which wins."""
    loose = parse_loosely(raw)
    _refuse_secret(loose)
    return InvalidCommand(Code.INVALID_COMMAND, detail, _readable_id(loose), too_large=too_large)


def _readable_id(value: Any) -> str | None:
    match [member for name, member in members(value) if name == "id"]:
        case [str(text)]:
            try:
                return uuid_text(text)
            except ValueError:
                return None
        case _:
            return None
