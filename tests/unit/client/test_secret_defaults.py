"""Default secrets come from a variable or from a file, with the same rules as the services' settings."""

from pathlib import Path

import pytest

from daybook_client import Misuse
from daybook_client.defaults import secret
from daybook_client.kafka.connection import connection_by_default

NAME = "DAYBOOK_KAFKA_PASSWORD"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(NAME, raising=False)
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "secret"))
    return tmp_path / "secret"


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_line_breaks_at_the_end_are_ignored_and_other_white_space_is_kept(file: Path, end: str) -> None:
    file.write_text(f" pass\nword \t{end}", encoding="utf-8", newline="")
    assert connection_by_default("127.0.0.1:9").password == " pass\nword \t"


@pytest.mark.parametrize("content", [b"", b"\r\n", b"\xff"])
def test_an_empty_or_unreadable_file_is_misuse(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(Misuse, match=rf"^{NAME}_FILE: .*secret (is empty|cannot be read)"):
        secret(None, NAME)


def test_a_missing_file_is_misuse(file: Path) -> None:
    with pytest.raises(Misuse, match="cannot be read: FileNotFoundError"):
        secret(None, NAME)


def test_a_secret_that_is_set_in_both_ways_is_misuse(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("hush", encoding="utf-8")
    monkeypatch.setenv(NAME, "hush")
    with pytest.raises(Misuse, match=f"{NAME} and {NAME}_FILE are both set") as refused:
        secret(None, NAME)
    assert "hush" not in str(refused.value)


def test_empty_variables_count_as_unset(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("hush", encoding="utf-8")
    monkeypatch.setenv(NAME, "")
    assert secret(None, NAME) == "hush"
    monkeypatch.setenv(f"{NAME}_FILE", "")
    assert secret(None, NAME) is None


def test_an_argument_wins_over_both_variables(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "hush")
    assert secret("given", NAME) == "given"
