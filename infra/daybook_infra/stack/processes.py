"""Child processes: how they are started, recognised again by a later process, and ended. It knows no server."""

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from daybook_infra.stack.interface import Say, StackError

# The working folder may be closed to a child's account.
OPEN_TO_ALL = "/"
KILL_SECONDS = 10
EXEC_SECONDS = EXIT_SECONDS = 1
TAIL_BYTES = 65_536
TAIL_LINES = 20
FAILED_TO_RUN = 127  # what a shell answers for a program that it cannot run
_SIGNALS = {each.value: each.name for each in signal.Signals}


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a child runs as, where that is not the caller."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Done:
    code: int
    output: str

    def last_line(self) -> str:
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return lines[-1] if lines else f"exit code {self.code}"


@dataclass(frozen=True, slots=True)
class Child:
    """How to run one: nothing of the caller's environment reaches it but what `env` names."""

    argv: Sequence[str]
    account: Account | None = None
    env: Mapping[str, str] | None = None

    @property
    def uid(self) -> int | None:
        return self.account.uid if self.account is not None else None

    @property
    def gid(self) -> int | None:
        return self.account.gid if self.account is not None else None

    @property
    def groups(self) -> list[int] | None:
        """None leaves the caller's; an account has no others than its own."""
        return [] if self.account is not None else None


def run(child: Child, *, seconds: float = 60, stdin: str = "", log: Path | None = None) -> Done:
    """Runs a short-lived program to its end. A program that cannot be run, or outlives its deadline, has failed.
    With `log` its output goes there: a pipe would stay open for as long as a server that it leaves behind.
    """
    with tempfile.TemporaryFile() if log is None else log.open("ab") as output:
        code = _ended(child, seconds, stdin, output)
        if log is not None:
            return Done(code, "")
        output.seek(0)
        return Done(code, output.read().decode("utf-8", "replace"))


def _ended(child: Child, seconds: float, stdin: str, output: IO[bytes]) -> int:
    try:
        done = subprocess.run(  # noqa: S603 - every argument is ours
            child.argv,
            user=child.uid,
            group=child.gid,
            extra_groups=child.groups,
            cwd=OPEN_TO_ALL,
            env=_environment(child.env),
            input=stdin.encode(),
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        output.write(f"no end after {seconds:.0f} s\n".encode())
        return FAILED_TO_RUN
    except OSError as error:
        output.write(f"{child.argv[0]}: {error.strerror}\n".encode())
        return FAILED_TO_RUN
    return done.returncode


def spawn(child: Child, log: Path) -> int:
    """Starts a long-lived program in a session of its own, so that Ctrl-C in the terminal reaches its parent alone.
    Returns its pid: it may outlive this process, and `alive` and `end` know it by that.
    """
    try:
        with log.open("ab") as output:
            started = subprocess.Popen(  # noqa: S603 - every argument is ours
                child.argv,
                user=child.uid,
                group=child.gid,
                extra_groups=child.groups,
                cwd=OPEN_TO_ALL,
                env=_environment(child.env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise StackError(f"{child.argv[0]} cannot be run: {error.strerror}") from None
    started.returncode = 0  # disowned: or Python would warn that nobody waited for it
    _await_command_line(started.pid)
    return started.pid


def _await_command_line(pid: int) -> None:
    """A program is on its way for a moment before the system can say what it is, and `alive` would miss it."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        deadline = time.monotonic() + EXEC_SECONDS
        while not (process.cmdline() or gone(process)) and time.monotonic() < deadline:
            time.sleep(0.001)


def begin_log(log: Path) -> None:
    """Each start has a log of its own; the one before is kept beside it."""
    with suppress(FileNotFoundError):
        log.replace(log.with_name(f"{log.name}.1"))


def _environment(env: Mapping[str, str] | None) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **(env or {})}


def read_pid(file: Path) -> int | None:
    """None where there is no such file, or one that holds no pid."""
    try:
        pid = int(file.read_text(encoding="utf-8").split(maxsplit=1)[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None
    return pid if pid > 0 else None


def alive(pid: int | None, *marks: str) -> psutil.Process | None:
    """The process of this pid, if its command line has all `marks`: a pid that was given away again is not ours."""
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        words = process.cmdline()
    except psutil.Error:
        return None
    return process if all(any(mark in word for word in words) for mark in marks) and words else None


def gone(process: psutil.Process) -> bool:
    """A zombie is gone too: in containers nobody may be there to collect it."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def end(process: psutil.Process, title: str, say: Say, *, seconds: float = 30) -> None:
    """SIGTERM, and after `seconds` SIGKILL, which it says. Returns when the process is gone."""
    with suppress(psutil.NoSuchProcess):
        process.terminate()
        if not _went(process, seconds):
            say(f"{title} (pid {process.pid}) has not ended within {seconds:g} s: killing it")
            process.kill()
            _went(process, KILL_SECONDS)


def _went(process: psutil.Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not gone(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def explain_end(title: str, pid: int | None, port: int, log: Path) -> str:
    """Why a program is no longer running: how it ended, and the end of its log."""
    return f"{title} (pid {pid or 'unknown'}, port {port}) {_how_it_ended(pid)}; {end_of_log(log)}"


def end_of_log(log: Path) -> str:
    return "\n".join([f"the end of its log, {log}:", *_tail(log)[-TAIL_LINES:]])


def _how_it_ended(pid: int | None) -> str:
    """The system tells the exit status of a child to its parent alone, and only once."""
    try:
        code = psutil.Process(pid).wait(EXIT_SECONDS) if pid is not None else None
    except (psutil.Error, psutil.TimeoutExpired):
        code = None
    if code is None:
        return "has ended"
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by {_SIGNALS.get(-code, f'signal {-code}')}"


def last_complaint(log: Path) -> str:
    """The last line of a log that sounds like a reason, else the last line."""
    lines = _tail(log)
    return next((line for line in reversed(lines) if re.search("ERROR|FATAL|Exception", line)), "".join(lines[-1:]))


def _tail(log: Path) -> list[str]:
    try:
        text = log.read_bytes()[-TAIL_BYTES:].decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()]
