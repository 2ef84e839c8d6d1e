"""A small disk for a stack's data, and a file that fills the disk. Only root can mount it."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from daybook_infra.stack.data import data_folder, service_account
from daybook_infra.stack.places import Home

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SmallDisk:
    folder: Path

    def fill(self, leaving: int = 0) -> None:
        """Fills the disk, except for `leaving` bytes."""
        with self._ballast.open("ab", buffering=0) as ballast:
            for size in (MIB, os.sysconf("SC_PAGE_SIZE")):
                self._fill(ballast.fileno(), size)
            if leaving:
                os.truncate(ballast.fileno(), os.fstat(ballast.fileno()).st_size - leaving)

    def clear(self) -> None:
        self._ballast.unlink()

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def _fill(self, descriptor: int, size: int) -> None:
        try:
            while os.write(descriptor, bytes(size)) == size:
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


@contextmanager
def small_disk(home: Home, mebibytes: int) -> Iterator[SmallDisk]:
    """Mounts a disk that holds all data of the servers in `home`. Clearing `home` ends the servers and unmounts the
    disk. Skips the test if this user may not mount.
    """
    account = service_account()
    if account is None:
        pytest.skip("only root may mount the small disk that this test fills")
    home.make()
    folder = data_folder(home, account).resolve()
    options = f"size={mebibytes}m,mode=700,uid={account.uid},gid={account.gid}"
    done = _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder))
    if done.returncode != 0:
        pytest.skip(f"the small disk that this test fills cannot be mounted: {done.stderr.strip()}")
    yield SmallDisk(folder)


def unmount(home: Home) -> None:
    """Unmounts the disk, at the latest when the last file on it is closed."""
    folder = str(home.data.resolve())
    if _run("umount", folder).returncode != 0:
        _run("umount", "--lazy", folder)


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(arguments, capture_output=True, text=True, check=False)
