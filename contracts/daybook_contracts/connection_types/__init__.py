"""Configs of connections, each as its type has it. `checked_config` is the way in; other types have general rules."""

from daybook_contracts.connection_types.check import InvalidConfig, checked_config, key_names_of
from daybook_contracts.connection_types.registry import CONNECTION_TYPES

__all__ = ["CONNECTION_TYPES", "InvalidConfig", "checked_config", "key_names_of"]
