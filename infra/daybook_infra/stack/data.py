"""Where the servers' data and programs lie, so that whoever runs them can read them. As root that is a system user, and
both may lie outside the checkout, under /var/lib/daybook; no parent folder's mode is ever changed.
"""

import hashlib
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from daybook_infra.stack.interface import Say, StackError
from daybook_infra.stack.places import Home
from daybook_infra.stack.processes import Account, Child, run

SYSTEM = Path("/var/lib/daybook")
ALL_MAY_ENTER = 0o755
OWNER_ENTERS = 0o700


def data_folder(home: Home, account: Account | None) -> Path:
    """The stack's data folder, made if need be: mode 700, owned by who runs the servers."""
    return _own(home.data) if account is None else _linked(home, account)


def data_paths(home: Home, *, as_root: bool) -> list[Path]:
    """The paths that hold data of the stack; none before its first start. Raises `StackError` where the data is not
    the caller's to delete.
    """
    if as_root:
        folder = _system_folder(home)
        _verify_linked(home, folder)
        paths = [folder, home.data]
    else:
        _verify_own(home.data)
        paths = [home.data]
    return [path for path in paths if os.path.lexists(path)]


def delete(paths: list[Path]) -> None:
    for path in paths:
        try:
            if path.is_symlink():
                path.unlink()
            else:
                shutil.rmtree(path)
        except OSError as error:
            raise StackError(f"{error.filename} cannot be deleted: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class Programs:
    """Files under one root that only work side by side. `probe` is one of them, `label` names their version."""

    root: Path
    folders: tuple[str, ...]
    probe: str
    label: str


def readable(programs: Programs, account: Account | None, say: Say) -> Path:
    """Their root, or where the account cannot read them, the root of a copy that it can read."""
    probe = Child(["/bin/sh", "-c", 'test -r "$0"', str(programs.root / programs.probe)], account)
    if account is None or run(probe).code == 0:
        return programs.root
    copy = SYSTEM / "programs" / programs.label
    if not copy.is_dir():
        say(f"copying {programs.label} to {copy}, once: the user {account.name} cannot read {programs.root}")
        _copy(programs, copy)
    return copy


def _own(folder: Path) -> Path:
    _verify_own(folder)
    folder.mkdir(mode=OWNER_ENTERS, exist_ok=True)
    return folder


def _verify_own(folder: Path) -> None:
    if folder.is_symlink():
        raise StackError(f"{folder} was made by root: run this as root, or delete that link to begin with empty data")
    if folder.exists() and folder.stat().st_uid != os.geteuid():
        raise StackError(f"{folder} belongs to another user: run this as its owner, or move it away")


def _system_folder(home: Home) -> Path:
    return SYSTEM / hashlib.sha256(os.fsencode(home.folder)).hexdigest()[:16]


def _verify_linked(home: Home, folder: Path) -> None:
    if home.data.is_symlink() and home.data.readlink() != folder:
        raise StackError(f"{home.data} links to the data of another checkout: delete that link and try again")
    if home.data.is_dir() and not home.data.is_symlink():
        raise StackError(f"{home.data} was made by an ordinary user: run this as that user, or move it away")


def _linked(home: Home, account: Account) -> Path:
    folder = _system_folder(home)
    _verify_linked(home, folder)
    _open_folder(SYSTEM)
    if not folder.is_dir():
        folder.mkdir(mode=OWNER_ENTERS)
        os.chown(folder, account.uid, account.gid)
    with suppress(FileExistsError):
        home.data.symlink_to(folder)
    return folder


def _open_folder(folder: Path) -> None:
    """A folder of ours that all may enter, whatever the umask; one that exists already stays as it is."""
    with suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(ALL_MAY_ENTER)


def _copy(programs: Programs, copy: Path) -> None:
    _open_folder(copy.parent)
    unfinished = copy.with_name(f".{copy.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    for name in programs.folders:
        shutil.copytree(programs.root / name, unfinished / name, symlinks=True)
    for folder, _, files in os.walk(unfinished):
        for path in [Path(folder), *(Path(folder) / name for name in files)]:
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))
    with suppress(OSError):  # another stack's copy came first and is as good
        unfinished.rename(copy)
    shutil.rmtree(unfinished, ignore_errors=True)
