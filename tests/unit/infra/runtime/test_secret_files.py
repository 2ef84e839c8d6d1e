"""Secrets from files: each secret setting has a `_FILE` variant, and errors show nothing of the content."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from daybook_infra.runtime.secret_files import is_secret
from daybook_infra.runtime.settings import Settings, env_name
from support.variables import load_with, refusal_of

VALUES = {
    "DAYBOOK_DATABASE_URL": "postgresql://daybook:hush@127.0.0.1/daybook",
    "DAYBOOK_ADMIN_DATABASE_URL": "postgresql://owner:hush@127.0.0.1/daybook",
    "DAYBOOK_KAFKA_PASSWORD": "hush",
    "DAYBOOK_JWT_SECRET": "hush" * 8,
}
SECRETS = {env_name(name): name for name, field in Settings.model_fields.items() if is_secret(field)}


@pytest.fixture
def hush(tmp_path: Path) -> str:
    """A file with a short secret."""
    (tmp_path / "hush").write_text("hush", encoding="utf-8")
    return str(tmp_path / "hush")


def test_the_secret_settings_are_found_by_their_type() -> None:
    assert VALUES.keys() <= SECRETS.keys()
    assert "DAYBOOK_KAFKA_USER" not in SECRETS


@pytest.mark.parametrize("setting", SECRETS)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_is_read_from_a_file(tmp_path: Path, setting: str, end: str) -> None:
    value = VALUES.get(setting, "hush" * 16)
    (tmp_path / "secret").write_bytes(f"{value}{end}".encode())
    loaded: SecretStr = getattr(load_with(**{f"{setting}_FILE": str(tmp_path / "secret")}), SECRETS[setting])
    assert loaded.get_secret_value() == value


def test_only_one_trailing_line_end_is_removed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(" hush \nhush\t\n", encoding="utf-8")
    settings = load_with(DAYBOOK_KAFKA_PASSWORD_FILE=str(tmp_path / "secret"))
    assert settings.kafka_password.get_secret_value() == " hush \nhush\t"


def test_a_value_from_a_file_is_validated_like_any_other(hush: str) -> None:
    assert refusal_of(DAYBOOK_JWT_SECRET_FILE=hush) == "DAYBOOK_JWT_SECRET: must have at least 32 bytes"


def test_a_value_and_a_file_for_one_setting_are_refused(hush: str) -> None:
    refusal = refusal_of(DAYBOOK_KAFKA_PASSWORD="hush-hush", DAYBOOK_KAFKA_PASSWORD_FILE=hush)
    assert refusal == "DAYBOOK_KAFKA_PASSWORD and DAYBOOK_KAFKA_PASSWORD_FILE are both set: unset one of them"


def test_an_empty_variable_counts_as_unset_if_there_is_a_file(hush: str) -> None:
    empty = {"DAYBOOK_KAFKA_PASSWORD": "", "DAYBOOK_JWT_SECRET_FILE": ""}
    assert load_with(**empty, DAYBOOK_KAFKA_PASSWORD_FILE=hush).kafka_password.get_secret_value() == "hush"


def test_every_unreadable_file_is_named_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    (tmp_path / "binary").write_bytes(b"\xff\xfehush")
    refusals = refusal_of(
        DAYBOOK_KAFKA_PASSWORD_FILE=str(tmp_path / "missing"),
        DAYBOOK_DATABASE_URL_FILE=str(tmp_path / "empty"),
        DAYBOOK_JWT_SECRET_FILE=str(tmp_path / "binary"),
    )
    assert sorted(refusals.splitlines()) == [
        f"DAYBOOK_DATABASE_URL_FILE: {tmp_path}/empty is empty",
        f"DAYBOOK_JWT_SECRET_FILE: {tmp_path}/binary is not UTF-8 text",
        f"DAYBOOK_KAFKA_PASSWORD_FILE: {tmp_path}/missing cannot be read (No such file or directory)",
    ]
