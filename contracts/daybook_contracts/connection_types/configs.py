"""Checks a connection's config and returns its normal form, or raises InvalidConfig. Does not check whether the org has
the secret references that the config names.
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


class AnyConfig(BaseModel):
    """The config of a type without a model: any object in which `secrets`, if present, maps purposes to key_names."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    secrets: dict[str, Name] | None = None

    def to_json(self) -> dict[str, Any]:
        """The config as given, but with normalised key_names, and without `secrets` if that is null."""
        secrets = {} if self.secrets is None else {"secrets": self.secrets}
        return {**(self.model_extra or {}), **secrets}


CONNECTION_TYPES: Mapping[str, type[Closed]] = MappingProxyType({"hotmart": Hotmart, "meta_ads": MetaAds})
"""The model of each type's config. To add a type, write its file and add a line here."""


class InvalidConfig(Exception):
    """`detail` names the field and the rule, never a value."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def checked_config(type_: str, config: dict[str, Any]) -> dict[str, Any]:
    """The config as Daybook stores it: with normalised key_names, with `act_` removed from the ids of ad accounts, and
    without optional fields that are null. Raises InvalidConfig.
    """
    model = CONNECTION_TYPES.get(type_, AnyConfig)
    try:
        return model.model_validate(config).to_json()
    except pydantic.ValidationError as error:
        raise InvalidConfig(config_fault_text(error)) from None


def key_names_of(config: dict[str, Any]) -> frozenset[str]:
    """The key_names of the secret references that a config names. Accepts invalid configs, which old rows may have."""
    secrets = config.get("secrets")
    key_names = secrets.values() if isinstance(secrets, dict) else ()
    return frozenset(name for name in key_names if isinstance(name, str))
