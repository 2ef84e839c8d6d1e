"""The checkout, its `.daybook/` folder, and the names of the files in it."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from daybook_infra.stack.interface import StackError
from daybook_infra.stack.processes import Account

OWNER_ONLY = 0o600
EVERYBODY_READS = 0o644


def checkout() -> Path:
    """The repository's root folder. Raises `StackError` if this package was installed without it."""
    root = Path(__file__).resolve().parents[3]
    if not (root / "infra" / "kafka" / "pom.xml").is_file():
        raise StackError(
            "the local stack needs a checkout of Daybook: run this there, "
            "or set DAYBOOK_KAFKA_BOOTSTRAP and DAYBOOK_DATABASE_URL"
        )
    return root


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one stack: `.daybook/` in a checkout, or a temporary one. Root's `data` is a link (see data.py)."""

    folder: Path

    @classmethod
    def of_checkout(cls) -> "Home":
        return cls(checkout() / ".daybook")

    @property
    def jwt_secret(self) -> Path:
        return self.folder / "jwt-secret"

    def password(self, service: str) -> Path:
        """The file with the password of the service's login in PostgreSQL."""
        return self.folder / f"{service}-password"

    @property
    def ports(self) -> Path:
        return self.folder / "ports.json"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def pid_file(self, name: str) -> Path:
        return self.folder / "run" / f"{name}.pid"

    def lock(self, name: str) -> Path:
        return self.folder / f"{name}.lock"

    def make(self) -> None:
        """Creates the folders. Raises `StackError` if this user may not write there, so that no later step fails for
        this reason.
        """
        try:
            for folder in (self.folder, self.folder / "logs", self.folder / "run"):
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK):
                    raise StackError(f"{folder} belongs to another user: run this as its owner")
        except OSError as error:
            raise StackError(
                f"{self.folder} cannot be made: {error.strerror}; run this as the checkout's owner"
            ) from None


def write_file(path: Path, text: str, mode: int, account: Account | None = None) -> None:
    """Replaces `path` atomically, with this mode and owner from the beginning. Does not follow a link at `path`. Raises
    `StackError` if it cannot be written, for example on a full disk.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        new.unlink(missing_ok=True)
        _write_new(new, text, mode, account)
        new.replace(path)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise StackError(f"{path} cannot be written: {error.strerror}") from None


def _write_new(new: Path, text: str, mode: int, account: Account | None) -> None:
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)  # whatever the umask
        if account is not None:
            os.fchown(descriptor, account.uid, account.gid)
        file.write(text)
