"""The published JSON Schemas match the models."""

from pathlib import Path

import pytest

from daybook_contracts import publish


def test_the_published_schemas_are_up_to_date() -> None:
    assert publish.outdated_paths(publish.FOLDER) == []
    assert publish.main(["--check"]) == 0


def test_missing_stale_and_orphaned_files_are_drift_until_published(tmp_path: Path) -> None:
    publish.publish(tmp_path)
    assert publish.outdated_paths(tmp_path) == []
    (tmp_path / "commands" / "RENAME_ORG.v1.json").unlink()
    (tmp_path / "entries" / "RENAME_ORG.v1.json").write_text("{}", "utf-8")
    (tmp_path / "commands" / "NO_SUCH_TYPE.v1.json").write_text("{}", "utf-8")
    stale = ["commands/NO_SUCH_TYPE.v1.json", "commands/RENAME_ORG.v1.json", "entries/RENAME_ORG.v1.json"]
    assert publish.outdated_paths(tmp_path) == stale
    assert publish.publish(tmp_path) == stale
    assert publish.outdated_paths(tmp_path) == []


def test_an_unknown_argument_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert publish.main(["--all"]) == 2
    assert "usage" in capsys.readouterr().err
