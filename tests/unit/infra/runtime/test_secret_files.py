"""Secrets from files: each secret setting has a `_FILE` variant, and errors show nothing of the content."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from daybook_infra.runtime.errors import SettingsError
from daybook_infra.runtime.secret_files import is_secret
from daybook_infra.runtime.settings import Settings, env_name, load_settings

VALUES = {
    "DAYBOOK_DATABASE_URL": "postgresql://daybook:hush@127.0.0.1/daybook",
    "DAYBOOK_KAFKA_PASSWORD": "hush",
    "DAYBOOK_JWT_SECRET": "hush" * 8,
}
SECRETS = {env_name(name): name for name, field in Settings.model_fields.items() if is_secret(field)}


def test_the_secret_settings_are_found_by_their_type() -> None:
    assert VALUES.keys() <= SECRETS.keys()
    assert "DAYBOOK_KAFKA_USER" not in SECRETS


@pytest.mark.parametrize("setting", SECRETS)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_is_read_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, setting: str, end: str) -> None:
    value = VALUES.get(setting, "hush" * 16)
    (tmp_path / "secret").write_bytes(f"{value}{end}".encode())
    monkeypatch.setenv(f"{setting}_FILE", str(tmp_path / "secret"))
    loaded: SecretStr = getattr(load_settings(), SECRETS[setting])
    assert loaded.get_secret_value() == value


def test_only_one_trailing_line_end_is_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(" hush \nhush\t\n", encoding="utf-8")
    monkeypatch.setenv("DAYBOOK_KAFKA_PASSWORD_FILE", str(tmp_path / "secret"))
    assert load_settings().kafka_password.get_secret_value() == " hush \nhush\t"


def test_a_value_from_a_file_is_validated_like_any_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush", encoding="utf-8")
    monkeypatch.setenv("DAYBOOK_JWT_SECRET_FILE", str(tmp_path / "secret"))
    with pytest.raises(SettingsError, match=r"^DAYBOOK_JWT_SECRET: must have at least 32 bytes$"):
        load_settings()


def test_a_value_and_a_file_for_one_setting_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush", encoding="utf-8")
    monkeypatch.setenv("DAYBOOK_KAFKA_PASSWORD", "hush-hush")
    monkeypatch.setenv("DAYBOOK_KAFKA_PASSWORD_FILE", str(tmp_path / "secret"))
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value) == (
        "DAYBOOK_KAFKA_PASSWORD and DAYBOOK_KAFKA_PASSWORD_FILE are both set: unset one of them"
    )


def test_an_empty_variable_counts_as_unset_if_there_is_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush", encoding="utf-8")
    monkeypatch.setenv("DAYBOOK_KAFKA_PASSWORD", "")
    monkeypatch.setenv("DAYBOOK_KAFKA_PASSWORD_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("DAYBOOK_JWT_SECRET_FILE", "")
    assert load_settings().kafka_password.get_secret_value() == "hush"


def test_every_unreadable_file_is_named_with_its_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    (tmp_path / "binary").write_bytes(b"\xff\xfehush")
    monkeypatch.setenv("DAYBOOK_KAFKA_PASSWORD_FILE", str(tmp_path / "missing"))
    monkeypatch.setenv("DAYBOOK_DATABASE_URL_FILE", str(tmp_path / "empty"))
    monkeypatch.setenv("DAYBOOK_JWT_SECRET_FILE", str(tmp_path / "binary"))
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert sorted(str(refused.value).splitlines()) == [
        f"DAYBOOK_DATABASE_URL_FILE: {tmp_path}/empty is empty",
        f"DAYBOOK_JWT_SECRET_FILE: {tmp_path}/binary is not UTF-8 text",
        f"DAYBOOK_KAFKA_PASSWORD_FILE: {tmp_path}/missing cannot be read (No such file or directory)",
    ]
