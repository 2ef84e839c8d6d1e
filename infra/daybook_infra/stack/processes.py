"""Child processes: starts them, finds them again by their pid, ends them and explains their end. Knows nothing about
what they serve.
"""

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
from typing import IO, Any

import psutil

from daybook_infra.stack.interface import Say, StackError

# The working folder of a child: its account may not be able to enter the caller's working folder.
OPEN_TO_ALL = "/"
KILL_SECONDS = 10
EXEC_SECONDS = 1  # for a new process to get its command line
EXIT_STATUS_SECONDS = 1  # for the exit status of an ended child
TAIL_BYTES = 65_536
TAIL_LINES = 20
FAILED_TO_RUN = 127  # as a shell reports a program that it cannot run
_SIGNALS = {each.value: each.name for each in signal.Signals}


@dataclass(frozen=True, slots=True)
class Account:
    """The user that a child runs as, if not the caller."""

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
    """A program to run. Its environment is the caller's PATH, LC_ALL=C, and what `env` adds or replaces."""

    argv: Sequence[str]
    account: Account | None = None
    env: Mapping[str, str] | None = None

    def options(self) -> dict[str, Any]:
        """What subprocess needs to run it. An account gets no groups besides its own."""
        who = self.account
        user = {} if who is None else {"user": who.uid, "group": who.gid, "extra_groups": []}
        env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **(self.env or {})}
        return {**user, "args": self.argv, "env": env, "cwd": OPEN_TO_ALL, "stderr": subprocess.STDOUT}


def run(child: Child, *, seconds: float = 60, stdin: str = "", log: Path | None = None) -> Done:
    """Runs a program to its end. A program that cannot be run, or that takes longer than `seconds`, has failed. With
    `log`, its output goes to that file, and so does the output of a server that it starts in the background.
    """
    with tempfile.TemporaryFile() if log is None else log.open("ab") as output:
        code = _exit_code(child, seconds, stdin, output)
        if log is not None:
            return Done(code, "")
        output.seek(0)
        return Done(code, output.read().decode("utf-8", "replace"))


def _exit_code(child: Child, seconds: float, stdin: str, output: IO[bytes]) -> int:
    try:
        return subprocess.run(
            **child.options(), input=stdin.encode(), stdout=output, timeout=seconds, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        output.write(f"did not end within {seconds:.0f} s\n".encode())
    except OSError as error:
        output.write(f"{child.argv[0]}: {error.strerror}\n".encode())
    return FAILED_TO_RUN


def spawn(child: Child, log: Path) -> int:
    """Starts a program in a session of its own, so that Ctrl-C in the terminal does not reach it. Returns its pid; the
    program may outlive this process.
    """
    try:
        with log.open("ab") as output:
            started = subprocess.Popen(
                **child.options(), stdin=subprocess.DEVNULL, stdout=output, start_new_session=True
            )
    except OSError as error:
        raise StackError(f"{child.argv[0]} cannot be run: {error.strerror}") from None
    started.returncode = 0  # otherwise Python warns that nobody waited for it
    _await_command_line(started.pid)
    return started.pid


def _await_command_line(pid: int) -> None:
    """A new process has no command line for a moment, and `find_process` would not recognise it."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        deadline = time.monotonic() + EXEC_SECONDS
        while not (process.cmdline() or has_ended(process)) and time.monotonic() < deadline:
            time.sleep(0.001)


def start_new_log(log: Path) -> None:
    """Moves the previous start's log to `<name>.1`, so that each start has its own log."""
    with suppress(FileNotFoundError):
        log.replace(log.with_name(f"{log.name}.1"))


def read_pid(file: Path) -> int | None:
    """None if there is no such file, or no pid in it."""
    try:
        pid = int(file.read_text(encoding="utf-8").split(maxsplit=1)[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None
    return pid if pid > 0 else None


def find_process(pid: int | None, *marks: str) -> psutil.Process | None:
    """The process with this pid, if its command line contains all `marks`; otherwise None. The check is needed because
    the system may have given the pid to another program.
    """
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        words = process.cmdline()
    except psutil.Error:
        return None
    return process if all(any(mark in word for word in words) for mark in marks) and words else None


def has_ended(process: psutil.Process) -> bool:
    """A zombie has ended too: in a container it may never be reaped."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def end_process(process: psutil.Process, title: str, say: Say, *, seconds: float = 30) -> None:
    """Sends SIGTERM and, after `seconds`, SIGKILL. Returns when the process has ended."""
    with suppress(psutil.NoSuchProcess):
        process.terminate()
        if not _ended_within(process, seconds):
            say(f"{title} (pid {process.pid}) has not ended within {seconds:g} s: killing it")
            process.kill()
            _ended_within(process, KILL_SECONDS)


def _ended_within(process: psutil.Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not has_ended(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def explain_end(title: str, pid: int | None, port: int, log: Path) -> str:
    """Returns how a program ended, and the end of its log."""
    return f"{title} (pid {pid or 'unknown'}, port {port}) {_how_it_ended(pid)}; {end_of_log(log)}"


def end_of_log(log: Path) -> str:
    return "\n".join([f"the end of its log, {log}:", *_last_lines(log)[-TAIL_LINES:]])


def _how_it_ended(pid: int | None) -> str:
    """Only a parent learns the exit status of its child, and only once."""
    try:
        code = psutil.Process(pid).wait(EXIT_STATUS_SECONDS) if pid is not None else None
    except (psutil.Error, psutil.TimeoutExpired):
        code = None
    if code is None:
        return "has ended"
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by {_SIGNALS.get(-code, f'signal {-code}')}"


def last_error_line(log: Path) -> str:
    """The last line of a log that looks like an error, or else the last line."""
    lines = _last_lines(log)
    return next((line for line in reversed(lines) if re.search("ERROR|FATAL|Exception", line)), "".join(lines[-1:]))


def _last_lines(log: Path) -> list[str]:
    try:
        text = log.read_bytes()[-TAIL_BYTES:].decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()]
