"""Where a stack keeps its things: the checkout, its `.daybook/`, the names of the files in it. Starts nothing."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from daybook_infra.stack.interface import StackError
from daybook_infra.stack.processes import Account

OWNER_ONLY = 0o600
EVERYBODY_READS = 0o644


def checkout() -> Path:
    """The folder that this package is developed in. Raises `StackError` where it was installed without one."""
    root = Path(__file__).resolve().parents[3]
    if not (root / "infra" / "kafka" / "pom.xml").is_file():
        raise StackError(
            "the local stack needs a checkout of Daybook: run this there, "
            "or set DAYBOOK_KAFKA_BOOTSTRAP and DAYBOOK_DATABASE_URL"
        )
    return root


@dataclass(frozen=True, slots=True)
class Home:
    """One stack's folder: `.daybook/` of a checkout, or a temporary one. As root its `data` is a link (data.py)."""

    folder: Path

    @classmethod
    def of_checkout(cls) -> "Home":
        return cls(checkout() / ".daybook")

    @property
    def jwt_secret(self) -> Path:
        return self.folder / "jwt-secret"

    @property
    def ports(self) -> Path:
        return self.folder / "ports.json"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def pid_file(self, name: str) -> Path:
        return self.folder / "run" / f"{name}.json"

    def lock(self, name: str) -> Path:
        return self.folder / f"{name}.lock"

    def make(self) -> None:
        """Raises `StackError` where this user may not write: else each later step would find that out by itself."""
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
    """Replaces `path` at once and never follows a link there; it has its mode and owner before it has its name.
    Raises `StackError` where that cannot be, as on a full disk.
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
        os.fchmod(descriptor, mode)  # the umask may have taken bits away
        if account is not None:
            os.fchown(descriptor, account.uid, account.gid)
        file.write(text)
