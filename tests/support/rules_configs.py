"""A second implementation of the rules for connection configs: returns the config to store, or refuses with
INVALID_CONFIG.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any

from support.chain import Json, jcs
from support.world import require

Check = Callable[[Any], bool]
HOTMART_EVENTS = {
    "PURCHASE_APPROVED",
    "PURCHASE_COMPLETE",
    "PURCHASE_CANCELED",
    "PURCHASE_BILLET_PRINTED",
    "PURCHASE_PROTEST",
    "PURCHASE_REFUNDED",
    "PURCHASE_CHARGEBACK",
    "PURCHASE_EXPIRED",
    "PURCHASE_DELAYED",
    "PURCHASE_OUT_OF_SHOPPING_CART",
    "SUBSCRIPTION_CANCELLATION",
    "SWITCH_PLAN",
    "UPDATE_SUBSCRIPTION_CHARGE_DATE",
    "CLUB_FIRST_ACCESS",
    "CLUB_MODULE_COMPLETED",
    "ORDER_FULFILLMENT",
}


def checked_config(type_: str, config: Json) -> Json:
    """The config that the entry must have. Raises Refused."""
    match type_:
        case "hotmart":
            return _hotmart(config)
        case "meta_ads":
            return _meta_ads(config)
        case _:
            named = {} if config.get("secrets") is None else {"secrets": _key_names(config["secrets"])}
            return {name: value for name, value in config.items() if name != "secrets"} | named


def _hotmart(config: Json) -> Json:
    needed = {
        "environment": _one_of("production", "sandbox"),
        "webhook_version": _one_of("2.0.0"),
        "events": _list_of(_one_of(*HOTMART_EVENTS)),
        "secrets": _anything,
    }
    optional = {"product_ids": _list_of(_is_int), "client_id": _is_text, "backfill_start": _is_time}
    checked = _closed(config, needed, optional)
    checked["secrets"] = _named(checked["secrets"], "hottok", "client_secret")
    _require("client_id" not in checked or "client_secret" in checked["secrets"])
    return checked


def _meta_ads(config: Json) -> Json:
    needed = {
        "api_version": _like(r"v\d+\.\d+"),
        "ad_account_ids": _list_of(_like(r"\d+")),
        "token_type": _one_of("system_user", "long_lived_user"),
        "level": _one_of("account", "campaign", "adset", "ad"),
        "start_date": _is_date,
        "secrets": _anything,
    }
    optional = {
        "app_id": _is_text,
        "fields": _list_of(_is_text),
        "breakdowns": _list_of(_is_text),
        "lookback_days": _is_int,
        "token_expires_at": _is_time,
    }
    checked = _closed(_without_act(config), needed, optional)
    checked["secrets"] = _named(checked["secrets"], "access_token", "app_secret")
    return checked


def _without_act(config: Json) -> Json:
    ids = config.get("ad_account_ids")
    _require(isinstance(ids, list) and all(isinstance(id_, str) for id_ in ids))
    return {**config, "ad_account_ids": [id_.removeprefix("act_") for id_ in ids or []]}


def _closed(config: Json, needed: dict[str, Check], optional: dict[str, Check]) -> Json:
    """The object without null optional fields. Refuses missing, unknown and invalid fields."""
    present = {name: value for name, value in config.items() if name in needed or value is not None}
    _require(needed.keys() <= present.keys() <= needed.keys() | optional.keys())
    _require(all((needed | optional)[name](value) for name, value in present.items()))
    return present


def _named(secrets: Any, needed: str, optional: str) -> Json:
    """The checked `secrets` of a type whose secrets have fixed purposes."""
    _require(isinstance(secrets, dict))
    return _key_names(_closed(secrets, {needed: _anything}, {optional: _anything}))


def _key_names(secrets: Any) -> Json:
    """The key_name for each purpose, normalised like every name."""
    _require(isinstance(secrets, dict) and all(isinstance(name, str) for name in secrets.values()))
    kept = {purpose: unicodedata.normalize("NFC", name.strip()) for purpose, name in secrets.items()}
    _require(all(1 <= len(name) <= 200 for name in kept.values()))
    return kept


def _require(right: bool) -> None:  # noqa: FBT001 - the condition itself is the argument
    require(right, "INVALID_CONFIG")


def _anything(value: Any) -> bool:
    return True


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_date(value: Any) -> bool:
    return _like(r"\d{4}-\d\d-\d\d")(value) and _parses(date.fromisoformat, value)


def _is_time(value: Any) -> bool:
    shape = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)"
    return _like(shape)(value) and _parses(datetime.fromisoformat, value)


def _parses(parse: Callable[[str], Any], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _one_of(*values: str) -> Check:
    return lambda value: isinstance(value, str) and value in values


def _like(pattern: str) -> Check:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


def _list_of(right: Check) -> Check:
    """A non-empty list of distinct, valid items."""
    return lambda value: isinstance(value, list) and value != [] and _different(value) and all(map(right, value))


def _different(values: Iterable[Any]) -> bool:
    texts = [jcs(value) for value in values]
    return len(set(texts)) == len(texts)
