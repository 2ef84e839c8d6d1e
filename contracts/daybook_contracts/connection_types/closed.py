"""What the config of every modelled type is: closed, strict, and back to JSON without its absent optionals."""

from typing import Any

from pydantic import BaseModel

from daybook_contracts.commands.envelope import STRICT


class Closed(BaseModel):
    """An object without unknown fields. An optional that is None is absent."""

    model_config = STRICT

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_none=True)
