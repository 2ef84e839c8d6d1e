"""The types that have a model of their own. A new one is one file and one line here."""

from collections.abc import Mapping
from types import MappingProxyType

from daybook_contracts.connection_types.closed import Closed
from daybook_contracts.connection_types.hotmart import Hotmart
from daybook_contracts.connection_types.meta_ads import MetaAds

CONNECTION_TYPES: Mapping[str, type[Closed]] = MappingProxyType({"hotmart": Hotmart, "meta_ads": MetaAds})
"""The model of each type's config."""
