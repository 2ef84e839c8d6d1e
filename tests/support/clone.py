"""A separate checkout in which tests run `daybook up`, and a shell that runs the lines of the tours."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from daybook_infra.stack.places import Home, checkout
from support.stack import remove

READY = "Ctrl-C stops everything"
READY_SECONDS = 90
DONE = "--- done ---"


@dataclass(frozen=True, slots=True)
class Clone:
    """A copy of the checkout's `infra`, with its own `.daybook/`. It uses the installed services and the checkout's
    Kafka jars.
    """

    folder: Path

    @property
    def home(self) -> Home:
        return Home(self.folder / ".daybook")

    @property
    def env(self) -> dict[str, str]:
        """An environment in which Python finds the clone's code before the checkout's."""
        return {**os.environ, "PYTHONPATH": str(self.folder / "infra")}

    @property
    def output(self) -> str:
        """All that `daybook up` has printed so far."""
        return (self.folder / "output").read_text(encoding="utf-8")

    @property
    def door(self) -> str:
        found = re.search(r"commands +(http://\S+)/v1/commands", self.output)
        assert found is not None, self.output
        return found[1]

    @property
    def projector(self) -> str:
        found = re.search(r"projector +(http://[^/\s]+)", self.output)
        assert found is not None, self.output
        return found[1]

    def up(self) -> psutil.Popen:
        """Starts `daybook up` without waiting for it."""
        with (self.folder / "output").open("wb") as output:
            return psutil.Popen(
                command("up"),
                cwd=self.folder,
                env=self.env,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def await_ready(self, up: psutil.Popen) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while READY not in self.output:
            assert up.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "daybook_infra", *arguments]


@contextmanager
def cloned() -> Iterator[Clone]:
    """Makes a clone, and deletes its folder afterwards. By then, its servers must have stopped."""
    clone = Clone(Path(tempfile.mkdtemp(prefix="daybook-clone-")))
    shutil.copytree(checkout() / "infra", clone.folder / "infra", ignore=shutil.ignore_patterns("__pycache__"))
    clone.home.folder.mkdir()
    if (jars := Home.of_checkout().folder / "kafka").is_dir():
        (clone.home.folder / "kafka").symlink_to(jars)
    try:
        yield clone
    finally:
        remove(clone.home)
        shutil.rmtree(clone.folder)


@contextmanager
def running_clone() -> Iterator[Clone]:
    """A clone in which `daybook up` runs, with `.venv` and `docs` as in the checkout of a reader of the tours."""
    with cloned() as clone:
        for shared in (".venv", "docs"):
            (clone.folder / shared).symlink_to(checkout() / shared)
        up = clone.up()
        try:
            clone.await_ready(up)
            yield clone
        finally:
            up.send_signal(signal.SIGINT)
            up.wait(60)


class Shell:
    """Runs lines in `bash -euo pipefail`. The shell reads its script from a separate pipe and not from stdin, so that
    no program in the script can read the next lines.
    """

    def __init__(self, clone: Clone) -> None:
        self._script, write = os.pipe()
        self._lines = os.fdopen(write, "w", encoding="utf-8")
        self._process = subprocess.Popen(
            ["/bin/bash", "-euo", "pipefail", f"/dev/fd/{self._script}"],
            cwd=clone.folder,
            env=clone.env,
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
        """Runs the lines and returns their output. Raises AssertionError with the output if one of them fails."""
        self._lines.write(f"{lines}\necho '{DONE}'\n")
        self._lines.flush()
        assert self._process.stdout is not None
        printed = ""
        for line in self._process.stdout:
            if line.strip() == DONE:
                return printed
            printed += line
        raise AssertionError(f"the shell ended with {self._process.wait(10)} in:\n{lines}\n{printed}")
