"""The host of Daybooks for tests: what it takes from the environment, and its folder."""

import fcntl
import tempfile
from pathlib import Path

import pytest

from daybook_infra.operations.fixture_host import CONNECTING, HOME_PREFIX, keep_variables, own_home
from daybook_infra.stack.places import Home


def test_only_variables_that_say_how_to_connect_are_kept() -> None:
    servers = {
        "DAYBOOK_KAFKA_BOOTSTRAP": "k",
        "DAYBOOK_KAFKA_PASSWORD_FILE": "p",
        "DAYBOOK_DATABASE_URL": "d",
        "PATH": "",
    }
    others = {"DAYBOOK_JWT_AUDIENCE": "shop", "DAYBOOK_USERS": "external", "DAYBOOK_SERVICE_JWT_SECRET_FILE": "s"}
    environment = servers | others
    keep_variables(environment, CONNECTING)
    assert environment == servers
    keep_variables(environment, ())
    assert environment == {"PATH": ""}


def test_a_host_does_not_remove_the_folder_of_another_that_is_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    lock = fcntl.flock
    locked: list[bool] = []

    def lock_after_another_host(descriptor: int, operation: int) -> None:
        if not locked:
            locked.append(True)
            with own_home():
                pass
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", lock_after_another_host)
    with own_home() as home:
        assert locked
        assert home.folder.is_dir()
        with own_home():
            pass
        assert home.folder.is_dir()


def test_a_host_removes_what_a_killed_one_has_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = Home(tmp_path / f"{HOME_PREFIX}left")
    left.make()
    left.lock("fixture").touch()
    with own_home() as home:
        assert list(tmp_path.iterdir()) == [home.folder]
    assert list(tmp_path.iterdir()) == []
