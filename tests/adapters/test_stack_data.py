"""Where the local stack keeps its data and programs. Other users cannot read the data. Root's data is outside the
checkout.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from daybook_infra.stack.data import SYSTEM_FOLDER, data_folder, data_paths, delete, service_account
from daybook_infra.stack.interface import StackError
from daybook_infra.stack.places import OWNER_ONLY, Home, write_file
from daybook_infra.stack.processes import Account, Child, run
from daybook_infra.stack.programs import Programs, readable_root
from support.stack import remove

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the servers as another user")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home in a folder that only its owner may enter, such as /root."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    home = Home(closed / ".daybook")
    home.make()
    yield home
    remove(home)


@pytest.fixture
def account() -> Account:
    found = service_account()
    assert found is not None
    return found


def test_the_data_of_an_ordinary_user_is_in_the_home_and_closed_to_others(home: Home) -> None:
    folder = data_folder(home, None)
    assert folder == home.data
    assert _mode(folder) == 0o700


def test_a_secret_is_readable_by_its_owner_only_and_is_not_written_through_a_link(home: Home, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    home.jwt_secret.symlink_to(elsewhere)
    write_file(home.jwt_secret, "secret", OWNER_ONLY)
    assert _mode(home.jwt_secret) == OWNER_ONLY
    assert elsewhere.read_text() == "kept"


@AS_ROOT
def test_the_data_of_root_belongs_to_the_system_user_and_is_linked_from_the_home(home: Home, account: Account) -> None:
    folder = data_folder(home, account)
    assert folder.parent == SYSTEM_FOLDER
    assert home.data.resolve() == folder
    assert (folder.stat().st_uid, _mode(folder)) == (account.uid, 0o700)
    assert data_folder(home, account) == folder


@AS_ROOT
def test_parent_folders_keep_their_mode(home: Home, account: Account) -> None:
    before = {folder: _mode(folder) for folder in home.folder.parents}
    data_folder(home, account)
    assert {folder: _mode(folder) for folder in home.folder.parents} == before


@AS_ROOT
def test_the_data_of_another_checkout_is_refused(home: Home, account: Account) -> None:
    home.data.symlink_to(SYSTEM_FOLDER / "0123456789abcdef")
    with pytest.raises(StackError, match="another checkout: delete that link"):
        data_folder(home, account)
    home.data.unlink()


@AS_ROOT
def test_root_does_not_touch_the_data_of_an_ordinary_user(home: Home, account: Account) -> None:
    home.data.mkdir()
    with pytest.raises(StackError, match="run this as that user, or move it away"):
        data_folder(home, account)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_of_another_user_is_a_clear_error(home: Home) -> None:
    home.folder.chmod(0o500)
    with pytest.raises(StackError, match="belongs to another user: run this as its owner"):
        home.make()
    home.folder.chmod(0o700)


def test_data_of_root_is_a_clear_error_for_an_ordinary_user(home: Home) -> None:
    home.data.symlink_to(home.folder / "elsewhere")
    with pytest.raises(StackError, match="run this as root, or delete that link"):
        data_folder(home, None)


def test_deleting_the_data_of_an_ordinary_user_keeps_the_home(home: Home) -> None:
    assert data_paths(home, as_root=False) == []
    (data_folder(home, None) / "kafka").mkdir()
    assert data_paths(home, as_root=False) == [home.data]
    delete([home.data])
    assert home.folder.is_dir()
    assert data_paths(home, as_root=False) == []


@AS_ROOT
def test_the_data_of_root_is_found_without_its_link_and_deleted_with_it(home: Home, account: Account) -> None:
    folder = data_folder(home, account)
    assert data_paths(home, as_root=True) == [folder, home.data]
    home.data.unlink()
    assert data_paths(home, as_root=True) == [folder]
    data_folder(home, account)
    delete(data_paths(home, as_root=True))
    assert data_paths(home, as_root=True) == []
    assert SYSTEM_FOLDER.is_dir()


def test_the_data_of_another_checkout_or_user_is_not_deleted(home: Home) -> None:
    home.data.symlink_to(SYSTEM_FOLDER / "0123456789abcdef")
    with pytest.raises(StackError, match="another checkout"):
        data_paths(home, as_root=True)
    with pytest.raises(StackError, match="run this as root"):
        data_paths(home, as_root=False)
    home.data.unlink()
    home.data.mkdir()
    with pytest.raises(StackError, match="run this as that user"):
        data_paths(home, as_root=True)


@AS_ROOT
def test_programs_that_the_system_user_cannot_read_are_copied(home: Home, account: Account) -> None:
    programs = _install(home.folder / "wheel", f"test-{home.folder.stat().st_ino}")
    messages: list[str] = []
    copy = readable_root(programs, account, messages.append)
    try:
        assert copy != programs.root
        assert run(Child([str(copy / "program" / "hello")], account)).output == "hello\n"
        assert readable_root(programs, account, pytest.fail) == copy
        assert len(messages) == 1
    finally:
        shutil.rmtree(copy)


def test_programs_are_used_in_place_if_no_other_account_runs_them(tmp_path: Path) -> None:
    programs = _install(tmp_path / "wheel", "test")
    assert readable_root(programs, None, pytest.fail) == programs.root


def _install(root: Path, label: str) -> Programs:
    """Installs a program that only its owner may read or run, as under a strict umask. The program reads a file in
    another folder.
    """
    for name in ("program", "libraries"):
        (root / name).mkdir(parents=True, mode=0o700)
    program, library = root / "program" / "hello", root / "libraries" / "word"
    program.write_text('#!/bin/sh\ncat "$(dirname "$0")/../libraries/word"\n')
    library.write_text("hello\n")
    program.chmod(0o700)
    library.chmod(0o600)
    return Programs(root, ("program", "libraries"), "program/hello", label)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
