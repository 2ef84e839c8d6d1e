"""The base of the command classes in `commands.py`: writes a command's fields as the JSON envelope."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Final
from uuid import UUID

from msgspec import Struct, structs

from daybook_client.errors import Misuse
from daybook_contracts.entries.identity import thing_id

Id = str | UUID

_ENVELOPE: Final = ("id", "org_id", "actor_user_id")


class Command(Struct, frozen=True, kw_only=True):
    """One command. Its `id` is made with the object, so to send the command again, send the same object. `TYPE` is its
    type in the envelope.
    """

    TYPE: ClassVar[str]
    KEY: ClassVar[str] = "org_id"  # the field with the routing key
    id: str

    def __post_init__(self) -> None:
        structs.force_setattr(self, "id", str(self.id))  # a UUID is welcome too

    @property
    def key(self) -> str:
        """The routing key: the org's id, or the user's id for RegisterUser."""
        return _lower(getattr(self, self.KEY))

    def to_json(self) -> bytes:
        """The envelope. Raises Misuse if a value has no form in JSON."""
        present = _present(self)
        envelope: dict[str, Any] = {name: present.pop(name) for name in _ENVELOPE if name in present}
        envelope |= {"type": self.TYPE, "data": present}
        try:
            return _JSON.encode(envelope).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise Misuse(f"{self.TYPE} {self.id} cannot be written as JSON: {error}") from error


class Creates(Command, frozen=True, kw_only=True):
    """A command that creates something. `NEW_ID` names the field with the id of the new thing. If the field is None,
    the id is computed.
    """

    NEW_ID: ClassVar[str]


def new_id_of(command: Creates) -> str:
    """The id of the thing that the command creates if it is accepted. It is known before the command is sent."""
    if not isinstance(command, Creates):
        raise Misuse(f"{type(command).__name__} creates nothing")
    chosen = getattr(command, command.NEW_ID)
    return thing_id(command.key, command.id.lower()) if chosen is None else _lower(chosen)


def _lower(value: Id) -> str:
    return str(value).lower()


@cache
def _fields(kind: type[Struct]) -> list[tuple[str, bool]]:
    """The names of a class's fields, and whether each is required."""
    return [(each.name, each.required) for each in structs.fields(kind)]


def _present(value: Struct) -> dict[str, Any]:
    """The fields that were given. An optional field that is None is left out. A required field that is None is written
    as null, because the payload of a dead letter may be null.
    """
    return {
        name: found
        for name, is_required in _fields(type(value))
        if (found := getattr(value, name)) is not None or is_required
    }


def _plain(value: Any) -> Any:
    """Converts types that `json` does not know. Raises TypeError for any other type."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Struct):
        return _present(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} is not JSON")


_JSON: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_plain)
