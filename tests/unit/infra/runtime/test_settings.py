"""Settings: defaults, variables, what is refused, and the table in the README."""

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from daybook_infra.runtime.errors import SettingsError
from daybook_infra.runtime.settings import Settings, env_name, require_database, require_kafka
from support.documents import ROOT
from support.variables import load_with, refusal_of

README = ROOT / "README.md"
FIELDS = Settings.model_fields


def test_settings_have_the_documented_defaults() -> None:
    settings = Settings()
    assert (settings.partitions, settings.replication_factor, settings.min_insync_replicas) == (12, 1, 1)
    assert (settings.users, settings.stack, settings.topic_prefix) == ("managed", "embedded", "daybook.")
    assert (settings.wait_seconds, settings.rate, settings.burst) == (5.0, 50.0, 200)
    assert (settings.cache_mib, settings.max_tail_mib, settings.sync_max_seconds) == (256.0, 256.0, 86_400)
    assert (settings.jwt_audience, settings.jwt_secret, settings.jwks_url) == ("daybook", None, None)


def test_a_variable_overrides_its_default() -> None:
    settings = load_with(DAYBOOK_PARTITIONS="64", DAYBOOK_USERS="external")
    assert (settings.partitions, settings.users) == (64, "external")


def test_an_empty_variable_counts_as_unset() -> None:
    assert load_with(DAYBOOK_PARTITIONS="").partitions == 12


def test_each_fault_is_one_line_that_names_its_variable() -> None:
    lines = refusal_of(DAYBOOK_PARTITIONS="many", DAYBOOK_USERS="nobody").splitlines()
    assert [line.partition(":")[0] for line in lines] == ["DAYBOOK_PARTITIONS", "DAYBOOK_USERS"]


def test_a_short_secret_is_refused_without_being_shown() -> None:
    refusal = refusal_of(DAYBOOK_JWT_SECRET="hush-hush")
    assert refusal == "DAYBOOK_JWT_SECRET: must have at least 32 bytes"


def test_a_time_limit_of_syncs_beyond_what_postgres_can_subtract_from_now_is_refused() -> None:
    assert load_with(DAYBOOK_SYNC_MAX_SECONDS="1000000000").sync_max_seconds == 10**9
    assert refusal_of(DAYBOOK_SYNC_MAX_SECONDS="1000000001").startswith("DAYBOOK_SYNC_MAX_SECONDS: ")


@pytest.mark.parametrize("name", ["DAYBOOK_RATE", "DAYBOOK_CACHE_MIB", "DAYBOOK_MAX_TAIL_MIB"])
@pytest.mark.parametrize("number", ["inf", "nan", "1e300", "0", "-1"])
def test_an_amount_that_is_not_positive_not_finite_or_far_too_large_is_refused(name: str, number: str) -> None:
    assert refusal_of(**{name: number}).startswith(f"{name}: ")


def test_a_rate_so_low_that_no_retry_time_can_be_given_is_refused() -> None:
    assert load_with(DAYBOOK_RATE="0.001").rate == 0.001
    assert refusal_of(DAYBOOK_RATE="1e-310").startswith("DAYBOOK_RATE: ")


def test_a_burst_beyond_what_a_float_can_count_is_refused() -> None:
    assert load_with(DAYBOOK_BURST="1000000000").burst == 10**9
    assert refusal_of(DAYBOOK_BURST="1" + "0" * 400).startswith("DAYBOOK_BURST: ")


def test_more_in_sync_replicas_than_replicas_are_refused() -> None:
    refusal = refusal_of(DAYBOOK_MIN_INSYNC_REPLICAS="2")
    assert refusal.startswith("DAYBOOK_MIN_INSYNC_REPLICAS is above DAYBOOK_REPLICATION_FACTOR")


def test_a_database_that_is_not_postgres_is_refused() -> None:
    refusal = refusal_of(DAYBOOK_DATABASE_URL="mysql://root:hush@localhost/x")
    assert refusal == "DAYBOOK_DATABASE_URL: must begin with postgresql://"


def test_the_repr_and_json_of_settings_show_no_secrets() -> None:
    settings = Settings(database_url=SecretStr("postgresql://u:hush@localhost/d"), jwt_secret=SecretStr("hush" * 8))
    assert "hush" not in repr(settings)
    assert "hush" not in settings.model_dump_json()


def test_a_missing_server_address_is_an_error_that_says_how_to_get_one() -> None:
    with pytest.raises(SettingsError, match=r"DAYBOOK_KAFKA_BOOTSTRAP is not set.*daybook stack up"):
        require_kafka(Settings())
    with pytest.raises(SettingsError, match=r"DAYBOOK_DATABASE_URL is not set.*daybook stack up"):
        require_database(Settings())


def settings_table() -> str:
    rows = [f"| `{env_name(name)}` | {default(field)} | {field.description} |" for name, field in FIELDS.items()]
    return "\n".join(["| variable | default | description |", "|---|---|---|", *rows])


def default(field: FieldInfo) -> str:
    value = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    if value is None or value == "":
        return "none"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def test_every_setting_has_a_description() -> None:
    assert all(field.description for field in FIELDS.values())


def test_the_readme_lists_every_setting_with_its_default() -> None:
    table = settings_table()
    assert table in README.read_text(encoding="utf-8"), f"put this into README.md:\n{table}"
