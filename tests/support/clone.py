"""A checkout of its own with `daybook up` running in it, and a shell like a reader's beside it."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from daybook_infra.stack.places import Home, checkout
from support.stack import remove

READY = "Ctrl-C ends it all"
READY_SECONDS = 90
STOP_SECONDS = 60
DONE = "--- done ---"


@dataclass(frozen=True, slots=True)
class Running:
    folder: Path
    door: str


@contextmanager
def running_clone() -> Iterator[Running]:
    """A copy of the checkout's infra, whose `.daybook/` is its own; the services are the installed ones, and Kafka's
    jars are shared. Everything is ended and deleted afterwards.
    """
    folder = Path(tempfile.mkdtemp(prefix="daybook-tour-"))
    shutil.copytree(checkout() / "infra", folder / "infra", ignore=shutil.ignore_patterns("__pycache__"))
    home = Home(folder / ".daybook")
    home.folder.mkdir()
    if (jars := Home.of_checkout().folder / "kafka").is_dir():
        (home.folder / "kafka").symlink_to(jars)
    (folder / ".venv").symlink_to(checkout() / ".venv")
    try:
        with (folder / "output").open("wb") as output:
            up = subprocess.Popen(
                [folder / ".venv/bin/daybook", "up"],
                cwd=folder,
                env=environment(folder),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield Running(folder, _door(up, folder / "output"))
        finally:
            up.send_signal(signal.SIGINT)
            up.wait(STOP_SECONDS)
    finally:
        remove(home)
        shutil.rmtree(folder)


def environment(folder: Path) -> dict[str, str]:
    """The clone's code before the checkout's, and no server or secret from outside."""
    return {**os.environ, "PYTHONPATH": str(folder / "infra")}


def _door(up: subprocess.Popen[bytes], output: Path) -> str:
    deadline = time.monotonic() + READY_SECONDS
    while READY not in (said := output.read_text(encoding="utf-8")):
        assert up.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
    found = re.search(r"commands +(http://\S+)/v1/commands", said)
    assert found is not None, said
    return found[1]


class Shell:
    """`bash -euo pipefail`, line after line. Its script comes over a pipe of its own, so that no program in it can read
    on where the shell should.
    """

    def __init__(self, running: Running) -> None:
        self._script, write = os.pipe()
        self._lines = os.fdopen(write, "w", encoding="utf-8")
        self._process = subprocess.Popen(
            ["/bin/bash", "-euo", "pipefail", f"/dev/fd/{self._script}"],
            cwd=running.folder,
            env=environment(running.folder),
            pass_fds=(self._script,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        os.close(self._script)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._lines.close()

    def run(self, lines: str) -> str:
        """Returns what the lines print; raises AssertionError with the output if one of them fails."""
        self._lines.write(f"{lines}\necho '{DONE}'\n")
        self._lines.flush()
        assert self._process.stdout is not None
        said = ""
        for line in self._process.stdout:
            if line.strip() == DONE:
                return said
            said += line
        raise AssertionError(f"the shell ended with {self._process.wait(10)} in:\n{lines}\n{said}")
