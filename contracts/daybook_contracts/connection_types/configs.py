"""A config in, its normal form out, or InvalidConfig. Only the config is checked, not whether the secrets that it names
exist in the org.
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
    """The config of a type without a model: any object in which `secrets`, if present, maps purposes to key_names."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    secrets: dict[str, Name] | None = None

    def to_json(self) -> dict[str, Any]:
        """The config as given, but with normalised key_names, and without `secrets` if that is null."""
        named = {} if self.secrets is None else {"secrets": self.secrets}
        return {**(self.model_extra or {}), **named}


CONNECTION_TYPES: Mapping[str, type[Closed]] = MappingProxyType({"hotmart": Hotmart, "meta_ads": MetaAds})
"""The model of each type's config. A new type is one file, and one line here."""


class InvalidConfig(Exception):
    """`detail` names the field and the rule, never a value."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def checked_config(type_: str, config: dict[str, Any]) -> dict[str, Any]:
    """The config as it is stored: key_names and `act_` ids normalised, without optionals that are null. Raises
    InvalidConfig.
    """
    model = CONNECTION_TYPES.get(type_, General)
    try:
        return model.model_validate(config).to_json()
    except pydantic.ValidationError as error:
        raise InvalidConfig(config_fault_text(error)) from None


def key_names_of(config: dict[str, Any]) -> frozenset[str]:
    """The key_names of the secret references that a config names. Old rows may hold an invalid config."""
    secrets = config.get("secrets")
    named = secrets.values() if isinstance(secrets, dict) else ()
    return frozenset(name for name in named if isinstance(name, str))
