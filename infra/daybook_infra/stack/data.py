"""Says which user runs the servers, and where their data is. If root starts them, they run as a system user, because
PostgreSQL refuses to run as root. Their data is then outside the checkout, because that user may not be able to enter
the checkout's parent folders.
"""

import hashlib
import os
import pwd
import shutil
from contextlib import suppress
from pathlib import Path

from daybook_infra.stack.interface import StackError
from daybook_infra.stack.places import Home
from daybook_infra.stack.processes import Account, Child, run

SYSTEM_USER = "daybook"
SYSTEM_FOLDER = Path("/var/lib/daybook")
ALL_MAY_ENTER = 0o755
OWNER_MAY_ENTER = 0o700


def service_account() -> Account | None:
    """The system user, created if it is missing; None if the caller is not root and runs the servers itself."""
    if os.geteuid() != 0:
        return None
    return _find_account() or _create_account()


def data_folder(home: Home, account: Account | None) -> Path:
    """The stack's data folder, created if it is missing: mode 700, owned by the user who runs the servers."""
    if account is not None:
        return _make_system_folder(home, account)
    _verify_own(home.data)
    home.data.mkdir(mode=OWNER_MAY_ENTER, exist_ok=True)
    return home.data


def data_paths(home: Home, *, as_root: bool) -> list[Path]:
    """The paths that hold the stack's data; empty if there is none. Raises `StackError` if it is another user's."""
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


def make_open_folder(folder: Path) -> None:
    """Creates a folder that all users may enter, whatever the umask. Leaves an existing folder as it is."""
    with suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(ALL_MAY_ENTER)


def _verify_own(folder: Path) -> None:
    if folder.is_symlink():
        raise StackError(f"{folder} was made by root: run this as root, or delete that link to begin with empty data")
    if folder.exists() and folder.stat().st_uid != os.geteuid():
        raise StackError(f"{folder} belongs to another user: run this as its owner, or move it away")


def _system_folder(home: Home) -> Path:
    return SYSTEM_FOLDER / hashlib.sha256(os.fsencode(home.folder)).hexdigest()[:16]


def _verify_linked(home: Home, folder: Path) -> None:
    if home.data.is_symlink() and home.data.readlink() != folder:
        raise StackError(f"{home.data} links to the data of another checkout: delete that link and try again")
    if home.data.is_dir() and not home.data.is_symlink():
        raise StackError(f"{home.data} was made by an ordinary user: run this as that user, or move it away")


def _make_system_folder(home: Home, account: Account) -> Path:
    folder = _system_folder(home)
    _verify_linked(home, folder)
    make_open_folder(SYSTEM_FOLDER)
    if not folder.is_dir():
        folder.mkdir(mode=OWNER_MAY_ENTER)
        os.chown(folder, account.uid, account.gid)
    with suppress(FileExistsError):
        home.data.symlink_to(folder)
    return folder


def _find_account() -> Account | None:
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        return None
    if entry.pw_uid == 0:
        raise StackError(
            f"the user {SYSTEM_USER!r} is root here: give it a uid of its own, or run this as an ordinary user"
        )
    return Account(SYSTEM_USER, entry.pw_uid, entry.pw_gid)


def _create_account() -> Account:
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd is None:
        raise StackError(
            f"if root starts the servers, they run as the system user {SYSTEM_USER!r}, and `useradd` is missing here: "
            "make that user, or run this as an ordinary user"
        )
    options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    done = run(Child([useradd, *options, SYSTEM_USER]))
    account = _find_account()
    if account is None:
        raise StackError(f"useradd could not make the system user {SYSTEM_USER!r}: {done.last_line()}")
    return account
