"""Configs of any connection type: general rules, normal form, refusals that quote no value, and published schemas."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybook_contracts import publish
from daybook_contracts.connection_types.configs import CONNECTION_TYPES, checked_config, key_names_of
from support.chain import Json
from support.command_strategies import values
from support.connection_configs import CONFIGS, META_ADS_WHOLE, OTHER, SAMPLES, detail_of, refusal

_VALUE = "a text of nobody else's"


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"secrets": {}},
        {"anything": [None, {"goes": 1.5}], "note": None, "secrets": {"": "a", "api key": "b"}},
        {"model_config": 1, "model_extra": {"x": 1}, "to_json": 2, "__class__": 3, "self": 4},
    ],
)
def test_an_unlisted_type_accepts_any_object(config: Json) -> None:
    assert checked_config(OTHER, config) == config


def test_an_unlisted_type_accepts_null_for_no_secrets() -> None:
    assert checked_config(OTHER, {"a": None, "secrets": None}) == {"a": None}


@pytest.mark.parametrize("secrets", [[], "x", 7, {"x": None}, {"x": 7}, {"x": ""}, {"x": {"y": "z"}}])
def test_secrets_of_an_unlisted_type_must_map_to_key_names(secrets: Any) -> None:
    assert refusal(OTHER, {"secrets": secrets}).startswith("data.config.secrets")


@pytest.mark.parametrize("type_", [*SAMPLES, OTHER])
def test_key_names_are_normalised_like_names(type_: str) -> None:
    _, config = SAMPLES.get(type_, ({}, {"secrets": {"hottok": "x"}}))
    untidy = {**config, "secrets": dict.fromkeys(config["secrets"], "\u2003cafe\u0301 ")}
    checked = checked_config(type_, untidy)
    assert set(checked["secrets"].values()) == {"caf\u00e9"}
    assert key_names_of(checked) == frozenset({"caf\u00e9"})


def test_key_names_of_a_config_are_a_set() -> None:
    assert key_names_of({}) == frozenset()
    assert key_names_of(META_ADS_WHOLE) == frozenset({"ads_token", "ads_app"})
    assert key_names_of({"secrets": {"a": "x", "b": "x"}}) == frozenset({"x"})


@pytest.mark.parametrize("secrets", [None, [], ["x"], "x", 7, {"a": {"b": "x"}, "c": None, "d": ["x"]}])
def test_malformed_secrets_have_no_key_names(secrets: Any) -> None:
    assert key_names_of({"secrets": secrets}) == frozenset()


def _put(config: Json, path: tuple[str | int, ...], value: Any) -> Json:
    changed: Json = json.loads(json.dumps(config))
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


def _paths(value: Any, above: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, inner in inside for path in [(*above, key), *_paths(inner, (*above, key))]]


@pytest.mark.parametrize(("type_", "sample"), [(type_, sample) for type_ in SAMPLES for sample in SAMPLES[type_]])
@pytest.mark.parametrize("shape", [_VALUE + "\x01", [_VALUE], {"x": _VALUE}, [[_VALUE]]], ids=type)
def test_a_refusal_never_repeats_a_value(type_: str, sample: Json, shape: Any) -> None:
    details = [detail_of(type_, _put(sample, path, shape)) for path in _paths(sample)]
    refusals = [detail for detail in details if detail is not None]
    assert len(refusals) >= len(sample) - 2  # `client_id` and the items of `fields` take any text
    assert not [detail for detail in refusals if _VALUE in detail]


@pytest.mark.parametrize("type_", CONFIGS)
def test_checking_a_checked_config_changes_nothing(type_: str) -> None:
    @given(CONFIGS[type_])
    def changes_nothing(config: Json) -> None:
        checked = checked_config(type_, config)
        assert checked_config(type_, checked) == checked
        assert json.loads(json.dumps(checked)) == checked

    changes_nothing()


@pytest.mark.parametrize("type_", [*SAMPLES, OTHER])
def test_any_object_is_accepted_or_refused(type_: str) -> None:
    fields = st.sampled_from([*SAMPLES.get(type_, ({}, {"secrets": 1}))[1], "other"])

    @given(st.dictionaries(fields, values))
    def is_accepted_or_refused(config: Json) -> None:
        detail = detail_of(type_, config)
        assert detail is None or detail.startswith("data.config")

    is_accepted_or_refused()


def _schema_of(type_: str) -> Json:
    schema: Json = json.loads(publish.schemas()[f"connection_types/{type_}.v1.json"])
    return schema


def _field_schema(schema: Json, field: str) -> Json:
    """The schema of a field, without the null that an optional field allows."""
    whole: Json = schema["properties"][field]
    own: Json = whole["anyOf"][0] if "anyOf" in whole else whole
    return own


def test_every_type_has_a_published_schema_and_samples() -> None:
    assert CONNECTION_TYPES.keys() == SAMPLES.keys()
    for type_, (least, whole) in SAMPLES.items():
        schema = _schema_of(type_)
        assert (set(schema["required"]), schema["properties"].keys()) == (set(least), whole.keys())
        assert schema["additionalProperties"] is False
        assert all(inner["additionalProperties"] is False for inner in schema["$defs"].values())


@pytest.mark.parametrize(
    ("type_", "field"), [("hotmart", "events"), ("hotmart", "product_ids"), ("meta_ads", "ad_account_ids"),
                         ("meta_ads", "fields"), ("meta_ads", "breakdowns")],
)  # fmt: skip
def test_the_schema_of_a_list_requires_unique_items_and_at_least_one(type_: str, field: str) -> None:
    schema = _field_schema(_schema_of(type_), field)
    assert (schema["type"], schema["minItems"], schema["uniqueItems"]) == ("array", 1, True)


def test_the_schema_requires_a_client_secret_with_a_client_id() -> None:
    schema = _schema_of("hotmart")
    assert schema["if"]["required"] == ["client_id"]
    assert schema["then"]["properties"]["secrets"]["required"] == ["client_secret"]


@pytest.mark.parametrize(
    ("type_", "field"), [("hotmart", "backfill_start"), ("meta_ads", "start_date"), ("meta_ads", "api_version"),
                         ("meta_ads", "app_id"), ("meta_ads", "token_expires_at")],
)  # fmt: skip
def test_the_pattern_in_the_schema_accepts_what_the_check_accepts(type_: str, field: str) -> None:
    pattern = _field_schema(_schema_of(type_), field)["pattern"]
    for text in [
        "2026-11-22T15:10:13Z",
        "2026-11-22T15:10:60Z",
        "2026-11-22",
        "2026-13-22",
        "0000-01-01",
        "0000-01-01T00:00:00Z",
        "v1.0",
        "v1",
        "12",
        "",
        "x",
    ]:
        is_accepted = detail_of(type_, {**SAMPLES[type_][1], field: text}) is None
        assert is_accepted == (re.search(pattern, text) is not None), text


@pytest.mark.parametrize("key", ["ann@example.org", "xoxb-1234-abcd", "Hunter2"])
def test_an_unknown_key_is_not_quoted(key: str) -> None:
    assert key not in refusal("hotmart", {key: 1})
    assert key not in refusal("meta_ads", {"secrets": {key: "x"}})
    assert key not in refusal("sheet", {"secrets": {key: 1}})
