"""The configs of `hotmart` and `meta_ads`: what is accepted, in which form, and what is refused."""

from typing import Any

import pytest

from daybook_contracts.connection_types.configs import checked_config
from support.chain import Json
from support.connection_configs import EVENTS, HOTMART, HOTMART_WHOLE, META_ADS, META_ADS_WHOLE, SAMPLES, refusal

_EVERY_SAMPLE = [(type_, sample) for type_, samples in SAMPLES.items() for sample in samples]
_OPTIONAL = [(type_, field) for type_, (least, whole) in SAMPLES.items() for field in whole.keys() - least.keys()]
_OPTIONAL_SECRET = {"hotmart": "client_secret", "meta_ads": "app_secret"}


@pytest.mark.parametrize(("type_", "sample"), _EVERY_SAMPLE)
def test_a_config_in_normal_form_is_unchanged(type_: str, sample: Json) -> None:
    assert checked_config(type_, sample) == sample


@pytest.mark.parametrize(("type_", "field"), _OPTIONAL)
def test_an_optional_field_may_be_left_out_or_null(type_: str, field: str) -> None:
    _, whole = SAMPLES[type_]
    without = {name: value for name, value in whole.items() if name != field}
    assert checked_config(type_, without) == without
    assert checked_config(type_, {**whole, field: None}) == without


@pytest.mark.parametrize("type_", SAMPLES)
def test_an_optional_secret_may_be_null(type_: str) -> None:
    least, _ = SAMPLES[type_]
    config = {**least, "secrets": {**least["secrets"], _OPTIONAL_SECRET[type_]: None}}
    assert checked_config(type_, config) == least


@pytest.mark.parametrize(
    ("type_", "field"), [(type_, field) for type_, (least, _) in SAMPLES.items() for field in least]
)
def test_each_required_field_must_be_given_and_not_null(type_: str, field: str) -> None:
    least, _ = SAMPLES[type_]
    without = {name: value for name, value in least.items() if name != field}
    assert refusal(type_, without) == f"data.config.{field} is required"
    assert refusal(type_, {**least, field: None}).startswith(f"data.config.{field} ")


@pytest.mark.parametrize(("type_", "purpose"), [("hotmart", "hottok"), ("meta_ads", "access_token")])
def test_the_main_secret_of_a_type_is_required(type_: str, purpose: str) -> None:
    least, _ = SAMPLES[type_]
    assert refusal(type_, {**least, "secrets": {}}) == f"data.config.secrets.{purpose} is required"


@pytest.mark.parametrize(("type_", "sample"), _EVERY_SAMPLE)
def test_unknown_fields_are_refused_at_the_top_and_in_secrets(type_: str, sample: Json) -> None:
    assert refusal(type_, {**sample, "extra": None}) == "data.config.extra is not a field of this connection type"
    config = {**sample, "secrets": {**sample["secrets"], "extra": "x"}}
    assert refusal(type_, config) == "data.config.secrets.extra is not a field of this connection type"


def test_a_client_id_needs_a_client_secret_but_not_the_other_way_round() -> None:
    for secrets in ({"hottok": "x"}, {"hottok": "x", "client_secret": None}):
        assert "secrets.client_secret" in refusal("hotmart", {**HOTMART, "client_id": "x", "secrets": secrets})
    alone = {**HOTMART, "secrets": {"hottok": "x", "client_secret": "y"}}
    assert checked_config("hotmart", alone) == alone


def test_every_hotmart_event_is_accepted() -> None:
    assert checked_config("hotmart", {**HOTMART, "events": list(EVENTS)})["events"] == list(EVENTS)
    assert len(EVENTS) == 16


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("environment", "Production"),
        ("webhook_version", "2.0"),
        ("events", []),
        ("events", ["_COMPLETE"]),
        ("events", ["SWITCH_PLAN", "SWITCH_PLAN"]),
        ("events", "SWITCH_PLAN"),
        ("product_ids", []),
        ("product_ids", [7, 7]),
        ("product_ids", ["7"]),
        ("product_ids", [True]),
        ("product_ids", [0.5]),
        ("client_id", ""),
        ("client_id", 7),
        ("backfill_start", "2026-01-01"),
        ("secrets", ["hottok"]),
        ("secrets", {"hottok": " "}),
        ("secrets", {"hottok": "x" * 201}),
        ("secrets", {"hottok": "x\ny"}),
        ("secrets", {"hottok": 7}),
    ],
)
def test_an_invalid_hotmart_field_is_refused(field: str, wrong: Any) -> None:
    assert refusal("hotmart", {**HOTMART_WHOLE, field: wrong}).startswith(f"data.config.{field}")


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("api_version", "23.0"),
        ("api_version", "v23"),
        ("api_version", "v23.0\n"),
        ("api_version", "v\u0663.0"),
        ("ad_account_ids", []),
        ("ad_account_ids", ["act_"]),
        ("ad_account_ids", ["act_act_1"]),
        ("ad_account_ids", ["1\n"]),
        ("ad_account_ids", ["\u0661"]),
        ("ad_account_ids", [10]),
        ("ad_account_ids", ["10", "act_10"]),
        ("token_type", "short_lived_user"),
        ("level", "creative"),
        ("start_date", "2023-02-29"),
        ("start_date", "20240229"),
        ("start_date", "2024-02-29T00:00:00Z"),
        ("app_id", "act_1"),
        ("app_id", 123),
        ("fields", []),
        ("fields", ["spend", "spend"]),
        ("fields", [""]),
        ("breakdowns", []),
        ("breakdowns", ["age", "age"]),
        ("lookback_days", 0),
        ("lookback_days", 3651),
        ("lookback_days", True),
        ("lookback_days", "28"),
        ("token_expires_at", "tomorrow"),
        ("secrets", {"access_token": ""}),
    ],
)
def test_an_invalid_meta_ads_field_is_refused(field: str, wrong: Any) -> None:
    assert refusal("meta_ads", {**META_ADS_WHOLE, field: wrong}).startswith(f"data.config.{field}")


def test_the_prefix_act_is_stripped_from_ad_account_ids() -> None:
    assert checked_config("meta_ads", {**META_ADS, "ad_account_ids": ["act_10", "11"]}) == META_ADS


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-22T15:10:13Z",
        "2026-11-22t15:10:13.123456789z",
        "2024-02-29T00:00:00+05:30",
        "0001-01-01T23:59:59-23:59",
    ],
)
def test_an_rfc_3339_time_is_kept_as_written(time: str) -> None:
    assert checked_config("hotmart", {**HOTMART, "backfill_start": time})["backfill_start"] == time


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-22T15:10:13",
        "2026-11-22 15:10:13Z",
        "2026-11-22T15:10Z",
        "2026-11-22T15:10:13.Z",
        "2026-11-22T15:10:13+0530",
        "2026-11-22T15:10:13+24:00",
        "2026-11-22T24:00:00Z",
        "2016-12-31T23:59:60Z",
        "2026-11-31T15:10:13Z",
        "2026-13-22T15:10:13Z",
        "0000-01-01T00:00:00Z",
        "2026-W47-7T15:10:13Z",
        "2026-11-22T15:10:13Z\n",
        "\u0662026-11-22T15:10:13Z",
    ],
)
def test_an_invalid_time_is_refused(time: str) -> None:
    detail = refusal("hotmart", {**HOTMART, "backfill_start": time})
    assert detail.startswith("data.config.backfill_start must be an RFC 3339 time")
