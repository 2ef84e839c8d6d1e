"""The base of the command classes in `commands.py`: writes a command's fields as the JSON envelope."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from typing import Any, ClassVar, Final
from uuid import UUID

from daybook_client.errors import Misuse
from daybook_contracts.entries.identity import thing_id

Id = str | UUID

_ENVELOPE: Final = frozenset({"id", "org_id", "actor_user_id"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """One command. Its `id` is made with the object, so to send the command again, send the same object. `TYPE` is its
    type in the envelope.
    """

    TYPE: ClassVar[str]
    KEY: ClassVar[str] = "org_id"  # the field with the routing key
    id: str

    @property
    def key(self) -> str:
        """The routing key: the org's id, or the user's id for RegisterUser."""
        return _lower(getattr(self, self.KEY))

    def to_json(self) -> bytes:
        """The envelope. Raises Misuse if a value has no form in JSON."""
        written = fields(self)
        named = {each.name: getattr(self, each.name) for each in written if each.name in _ENVELOPE}
        data = _present(self, [each for each in written if each.name not in _ENVELOPE])
        envelope = {"id": self.id, "type": self.TYPE, **_without_none(named), "data": data}
        try:
            return json.dumps(envelope, ensure_ascii=False, allow_nan=False, default=_plain).encode()
        except (TypeError, ValueError) as error:
            raise Misuse(f"{self.TYPE} {self.id} cannot be written as JSON: {error}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Creates(Command):
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


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _present(value: Any, chosen: list[Field[Any]]) -> dict[str, Any]:
    """The fields that were given. An optional field that is None is left out. A required field that is None is written
    as null, because the payload of a dead letter may be null.
    """
    values = {each.name: getattr(value, each.name) for each in chosen}
    return {
        each.name: values[each.name]
        for each in chosen
        if values[each.name] is not None or (each.default is MISSING and each.default_factory is MISSING)
    }


def _plain(value: Any) -> Any:
    """Converts types that `json` does not know. Raises TypeError for any other type."""
    if isinstance(value, UUID):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _present(value, list(fields(value)))
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} is not JSON")
