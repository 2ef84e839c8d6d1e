"""A config in, its normal form out, or InvalidConfig. It must not know the org: whether a named secret exists is asked
elsewhere.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pydantic
from pydantic import BaseModel, ConfigDict

from daybook_contracts.commands.faults import config_fault_text
from daybook_contracts.commands.fields import Name
from daybook_contracts.connection_types.fields import Closed
from daybook_contracts.connection_types.hotmart import Hotmart
from daybook_contracts.connection_types.meta_ads import MetaAds


class General(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    secrets: dict[str, Name] | None = None

    def to_json(self) -> dict[str, Any]:
        """All as it came, but the key_names and a `secrets` of null."""
        named = {} if self.secrets is None else {"secrets": self.secrets}
        return {**(self.model_extra or {}), **named}


CONNECTION_TYPES: Mapping[str, type[Closed]] = MappingProxyType({"hotmart": Hotmart, "meta_ads": MetaAds})
"""The model of each type's config."""


class InvalidConfig(Exception):
    """`detail` names the field and the rule, never a value."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def checked_config(type_: str, config: dict[str, Any]) -> dict[str, Any]:
    """The config as it is kept: key_names and `act_` ids normalised, absent optionals absent; raises InvalidConfig."""
    model = CONNECTION_TYPES.get(type_, General)
    try:
        return model.model_validate(config).to_json()
    except pydantic.ValidationError as error:
        raise InvalidConfig(config_fault_text(error)) from None


def key_names_of(config: dict[str, Any]) -> frozenset[str]:
    """The key_names of the secret references that a config names; a row of old may hold what no check let in."""
    secrets = config.get("secrets")
    named = secrets.values() if isinstance(secrets, dict) else ()
    return frozenset(name for name in named if isinstance(name, str))
