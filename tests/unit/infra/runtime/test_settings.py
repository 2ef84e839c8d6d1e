"""Settings: defaults, variables, what is refused, and the table in the README."""

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from daybook_infra.runtime.errors import SettingsError
from daybook_infra.runtime.settings import Settings, env_name, load_settings, require_database, require_kafka
from support.documents import ROOT

README = ROOT / "README.md"
FIELDS = Settings.model_fields


def test_settings_have_the_documented_defaults() -> None:
    settings = Settings()
    assert (settings.partitions, settings.replication_factor, settings.min_insync_replicas) == (12, 1, 1)
    assert (settings.users, settings.stack, settings.topic_prefix) == ("managed", "embedded", "daybook.")
    assert (settings.wait_seconds, settings.rate, settings.burst) == (5.0, 50.0, 200)
    assert (settings.cache_orgs, settings.max_tail, settings.sync_max_seconds) == (10_000, 100_000, 86_400)
    assert (settings.jwt_audience, settings.jwt_secret, settings.jwks_url) == ("daybook", None, None)


def test_a_variable_overrides_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_PARTITIONS", "64")
    monkeypatch.setenv("DAYBOOK_USERS", "external")
    settings = load_settings()
    assert (settings.partitions, settings.users) == (64, "external")


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_PARTITIONS", "")
    assert load_settings().partitions == 12


def test_each_fault_is_one_line_that_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_PARTITIONS", "many")
    monkeypatch.setenv("DAYBOOK_USERS", "nobody")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    lines = str(refused.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["DAYBOOK_PARTITIONS", "DAYBOOK_USERS"]


def test_a_short_secret_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_JWT_SECRET", "hush-hush")
    with pytest.raises(SettingsError, match="DAYBOOK_JWT_SECRET: must have at least 32 bytes") as refused:
        load_settings()
    assert "hush" not in str(refused.value)


def test_more_in_sync_replicas_than_replicas_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_MIN_INSYNC_REPLICAS", "2")
    with pytest.raises(SettingsError, match=r"^DAYBOOK_MIN_INSYNC_REPLICAS is above DAYBOOK_REPLICATION_FACTOR"):
        load_settings()


def test_a_database_that_is_not_postgres_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_DATABASE_URL", "mysql://root:hush@localhost/x")
    with pytest.raises(SettingsError, match=r"^DAYBOOK_DATABASE_URL: must begin with postgresql://$"):
        load_settings()


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
