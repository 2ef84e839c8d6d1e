"""What every command has around its data. A command is made by parsing; inside, its values are already right."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from daybook_contracts.commands.fields import Uuid

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True)


class Data(BaseModel):
    """A command's own fields. An optional that is None is absent."""

    model_config = STRICT

    def to_json(self) -> dict[str, Any]:
        """The normalised data: absent optionals absent."""
        return {name: value for name, value in self.__dict__.items() if value is not None}


class Envelope(BaseModel):
    """The fields of all commands but REGISTER_USER's `org_id`."""

    model_config = STRICT

    id: Uuid = Field(description="The command's id, a UUIDv7 by preference. Repeating it never acts twice.")
    org_id: Uuid = Field(description="The org it acts on; also the Kafka key.")
    actor_user_id: Uuid | None = Field(default=None, description="The user who acts; null where a service does.")

    @property
    def key(self) -> str:
        """The routing key: it decides the partition and scopes the command's id."""
        return self.org_id
