"""A config in, its normal form out, or InvalidConfig. It must not know the org: whether a named secret exists is asked
elsewhere.
"""

from typing import Any

import pydantic

from daybook_contracts.commands.faults import config_fault_text
from daybook_contracts.connection_types.general import General
from daybook_contracts.connection_types.registry import CONNECTION_TYPES


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
