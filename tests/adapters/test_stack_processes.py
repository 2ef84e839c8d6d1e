"""Children of the stack: recognised by more than their pid, ended within a deadline, deaf to the terminal's Ctrl-C."""

import os
import sys
from pathlib import Path

import psutil
import pytest

from daybook_infra.stack.interface import StackError
from daybook_infra.stack.processes import (
    Child,
    alive,
    begin_log,
    end,
    end_of_log,
    explain_end,
    last_complaint,
    read_pid,
    run,
    spawn,
)

WAITS = "import signal, sys; print('waits', flush=True); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('waits', flush=True); signal.pause()"


def test_a_pid_that_belongs_to_another_program_is_not_ours() -> None:
    assert alive(os.getpid(), "kafka.properties of nobody") is None


def test_a_pid_that_nobody_has_is_not_alive(tmp_path: Path) -> None:
    pid = _spawned("pass", tmp_path)
    psutil.Process(pid).wait(10)
    assert alive(pid, sys.executable) is None


def test_a_child_is_known_again_by_its_pid_and_its_command_line(tmp_path: Path) -> None:
    pid = _spawned(WAITS, tmp_path)
    process = alive(pid, sys.executable, "signal.pause()")
    assert process is not None
    end(process, "it", print, seconds=10)
    assert alive(pid, sys.executable) is None


def test_a_child_has_a_session_of_its_own(tmp_path: Path) -> None:
    pid = _spawned(WAITS, tmp_path)
    assert os.getsid(pid) == pid
    end(psutil.Process(pid), "it", print, seconds=10)


def test_what_ignores_sigterm_is_killed_and_that_is_said(tmp_path: Path) -> None:
    pid = _spawned(STUBBORN, tmp_path)
    _await_line(tmp_path / "log")
    said: list[str] = []
    end(psutil.Process(pid), "the stubborn one", said.append, seconds=0.2)
    assert alive(pid, sys.executable) is None
    assert said == [f"the stubborn one (pid {pid}) has not ended within 0.2 s: killing it"]


def test_nothing_of_the_environment_reaches_a_child_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_JWT_SECRET", "not for everybody")
    done = run(Child([sys.executable, "-c", "import os; print(sorted(os.environ))"], env={"MINE": "1"}))
    assert "MINE" in done.output
    assert "DAYBOOK" not in done.output


def test_a_program_that_outlives_its_deadline_has_failed() -> None:
    done = run(Child([sys.executable, "-c", "import signal; signal.pause()"]), seconds=0.5)
    assert done.code != 0
    assert done.last_line().startswith("no end after")


def test_a_program_that_does_not_exist_has_failed(tmp_path: Path) -> None:
    assert "No such file" in run(Child([str(tmp_path / "nothing")])).last_line()
    with pytest.raises(StackError, match="cannot be run"):
        spawn(Child([str(tmp_path / "nothing")]), tmp_path / "log")


@pytest.mark.parametrize("text", ["", "\n", "kafka", "-3", "0"])
def test_a_pid_file_without_a_pid_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kafka.pid"
    file.write_text(text)
    assert read_pid(file) is None


def test_each_start_has_a_log_of_its_own_and_the_one_before_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    begin_log(log)
    log.write_text("the first\n")
    begin_log(log)
    assert not log.exists()
    assert (tmp_path / "kafka.log.1").read_text() == "the first\n"


def test_a_child_is_known_at_once(tmp_path: Path) -> None:
    for _ in range(20):
        pid = _spawned(WAITS, tmp_path)
        assert alive(pid, sys.executable) is not None
        psutil.Process(pid).kill()


@pytest.mark.parametrize(
    ("program", "how"),
    [
        ("raise SystemExit(3)", "ended with exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by SIGKILL"),
        ("import os; os.kill(os.getpid(), 40)", "was ended by signal 40"),
    ],
)
def test_the_end_of_a_child_is_explained_by_its_exit_code_or_signal(tmp_path: Path, program: str, how: str) -> None:
    pid = _spawned(program, tmp_path)
    assert explain_end("it", pid, 1, tmp_path / "log").startswith(f"it (pid {pid}, port 1) {how}; the end of its log")


def test_what_was_no_child_or_has_no_pid_has_ended_in_a_way_that_nobody_knows(tmp_path: Path) -> None:
    assert "(pid 1, port 1) has ended;" in explain_end("it", 1, 1, tmp_path / "log")
    assert "(pid unknown, port 1) has ended;" in explain_end("it", None, 1, tmp_path / "log")


def test_the_end_of_a_log_is_its_last_lines_that_say_anything(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"{number}\n\n" for number in range(30)))
    assert end_of_log(log).splitlines() == [f"the end of its log, {log}:", *map(str, range(10, 30))]
    assert end_of_log(tmp_path / "none") == f"the end of its log, {tmp_path / 'none'}:"


def test_the_last_complaint_of_a_log_is_the_last_line_that_gives_a_reason(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("INFO one\nFATAL: no space\n\tat some.Java(Frame.java)\n")
    assert last_complaint(log) == "FATAL: no space"
    log.write_text("one\ntwo\n")
    assert last_complaint(log) == "two"


def _spawned(program: str, folder: Path) -> int:
    return spawn(Child([sys.executable, "-c", program]), folder / "log")


def _await_line(log: Path) -> None:
    done = run(Child(["sh", "-c", f"until grep -q waits {log}; do :; done"]), seconds=10)
    assert done.code == 0
