"""Connection configs: a minimal and a full sample of each type, and strategies."""

from typing import Final

import pytest
from hypothesis import strategies as st

from daybook_contracts.connection_types.configs import InvalidConfig, checked_config
from support.chain import Json
from support.command_strategies import keys, names, optional, values
from support.rules_configs import HOTMART_EVENTS

EVENTS: Final = tuple(sorted(HOTMART_EVENTS))
HOTMART: Json = {
    "environment": "production",
    "webhook_version": "2.0.0",
    "events": ["PURCHASE_APPROVED"],
    "secrets": {"hottok": "shop_hottok"},
}
HOTMART_WHOLE: Json = {
    **HOTMART,
    "product_ids": [7, 123],
    "client_id": "a-client",
    "backfill_start": "2026-01-01T00:00:00-03:00",
    "secrets": {"hottok": "shop_hottok", "client_secret": "shop_client"},
}
META_ADS: Json = {
    "api_version": "v23.0",
    "ad_account_ids": ["10", "11"],
    "token_type": "system_user",
    "level": "adset",
    "start_date": "2024-02-29",
    "secrets": {"access_token": "ads_token"},
}
META_ADS_WHOLE: Json = {
    **META_ADS,
    "app_id": "123",
    "fields": ["spend", "clicks"],
    "breakdowns": ["age"],
    "lookback_days": 28,
    "token_expires_at": "2026-11-22T15:10:13.5Z",
    "secrets": {"access_token": "ads_token", "app_secret": "ads_app"},
}
SAMPLES = {"hotmart": (HOTMART, HOTMART_WHOLE), "meta_ads": (META_ADS, META_ADS_WHOLE)}
OTHER: Final = "other_source"
"""A connection type without a model."""


def refusal(type_: str, config: Json) -> str:
    with pytest.raises(InvalidConfig) as refused:
        checked_config(type_, config)
    return refused.value.detail


def detail_of(type_: str, config: Json) -> str | None:
    """Why the config is refused; None if it is accepted."""
    try:
        checked_config(type_, config)
    except InvalidConfig as error:
        return error.detail
    return None


_TIMES = st.datetimes().map(lambda moment: f"{moment.isoformat()}Z")
_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=9)
CONFIGS: dict[str, st.SearchStrategy[Json]] = {
    "hotmart": st.fixed_dictionaries(
        {
            "environment": st.sampled_from(["production", "sandbox"]),
            "webhook_version": st.just("2.0.0"),
            "events": st.lists(st.sampled_from(EVENTS), min_size=1, unique=True),
            "product_ids": optional(st.lists(st.integers(), min_size=1, unique=True)),
            "client_id": optional(_TEXTS),
            "backfill_start": optional(_TIMES),
            "secrets": st.fixed_dictionaries({"hottok": names, "client_secret": names}),
        }
    ),
    "meta_ads": st.fixed_dictionaries(
        {
            "api_version": st.from_regex(r"v[0-9]+\.[0-9]+", fullmatch=True),
            "ad_account_ids": st.lists(
                st.from_regex("(act_)?[0-9]+", fullmatch=True), min_size=1, unique_by=lambda x: x.removeprefix("act_")
            ),
            "token_type": st.sampled_from(["system_user", "long_lived_user"]),
            "level": st.sampled_from(["account", "campaign", "adset", "ad"]),
            "start_date": st.dates().map(str),
            "fields": optional(st.lists(_TEXTS, min_size=1, unique=True)),
            "lookback_days": optional(st.integers(1, 3650)),
            "token_expires_at": optional(_TIMES),
            "secrets": st.fixed_dictionaries({"access_token": names, "app_secret": optional(names)}),
        }
    ),
    OTHER: st.dictionaries(keys.filter(lambda key: key != "secrets"), values, max_size=4).flatmap(
        lambda rest: st.dictionaries(keys, names, max_size=3).map(lambda named: {**rest, "secrets": named})
    ),
}
