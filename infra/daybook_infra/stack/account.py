"""Who the servers run as: the caller; where that is root, a system user, as PostgreSQL refuses to run as root."""

import os
import pwd
import shutil

from daybook_infra.stack.interface import StackError
from daybook_infra.stack.processes import Account, Child, run

NAME = "daybook"


def service_account() -> Account | None:
    """None where the caller is no root: the servers run as the caller. Makes the system user if it is missing."""
    if os.geteuid() != 0:
        return None
    return _existing() or _made()


def _existing() -> Account | None:
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        return None
    if entry.pw_uid == 0:
        raise StackError(f"the user {NAME!r} is root here: give it a uid of its own, or run this as an ordinary user")
    return Account(NAME, entry.pw_uid, entry.pw_gid)


def _made() -> Account:
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd is None:
        raise StackError(
            f"as root the servers run as the system user {NAME!r}, and `useradd` is missing here: "
            "make that user, or run this as an ordinary user"
        )
    done = run(Child([useradd, "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME]))
    account = _existing()
    if account is None:
        raise StackError(f"useradd could not make the system user {NAME!r}: {done.last_line()}")
    return account
