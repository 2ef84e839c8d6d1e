"""The config of a type that has no model: any object whose `secrets`, if there, maps purposes to key_names."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from daybook_contracts.commands.fields import Name


class General(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    secrets: dict[str, Name] | None = None

    def to_json(self) -> dict[str, Any]:
        """All as it came, but the key_names and a `secrets` of null."""
        named = {} if self.secrets is None else {"secrets": self.secrets}
        return {**(self.model_extra or {}), **named}
