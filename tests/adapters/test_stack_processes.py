"""Processes of the stack: they are recognised by more than their pid, end within a deadline, and do not get Ctrl-C."""

import os
import sys
from pathlib import Path

import psutil
import pytest

from daybook_infra.stack.interface import StackError
from daybook_infra.stack.processes import (
    Child,
    end_of_log,
    end_process,
    explain_end,
    find_process,
    last_error_line,
    read_pid,
    run,
    spawn,
    start_new_log,
)

WAIT = "import signal, sys; print('waits', flush=True); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('waits', flush=True); signal.pause()"


def test_a_pid_of_another_program_is_not_recognised() -> None:
    assert find_process(os.getpid(), "no-such-kafka.properties") is None


def test_an_ended_process_is_not_found(tmp_path: Path) -> None:
    pid = _spawn("pass", tmp_path)
    psutil.Process(pid).wait(10)
    assert find_process(pid, sys.executable) is None


def test_a_child_is_recognised_by_its_pid_and_command_line(tmp_path: Path) -> None:
    pid = _spawn(WAIT, tmp_path)
    process = find_process(pid, sys.executable, "signal.pause()")
    assert process is not None
    end_process(process, "it", print, seconds=10)
    assert find_process(pid, sys.executable) is None


def test_a_child_has_its_own_session(tmp_path: Path) -> None:
    pid = _spawn(WAIT, tmp_path)
    assert os.getsid(pid) == pid
    end_process(psutil.Process(pid), "it", print, seconds=10)


def test_a_process_that_ignores_sigterm_is_killed_and_reported(tmp_path: Path) -> None:
    pid = _spawn(STUBBORN, tmp_path)
    _await_line(tmp_path / "log")
    messages: list[str] = []
    end_process(psutil.Process(pid), "the process", messages.append, seconds=0.2)
    assert find_process(pid, sys.executable) is None
    assert messages == [f"the process (pid {pid}) has not ended within 0.2 s: killing it"]


def test_a_child_gets_only_the_environment_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_JWT_SECRET", "not for children")
    done = run(Child([sys.executable, "-c", "import os; print(sorted(os.environ))"], env={"MINE": "1"}))
    assert "MINE" in done.output
    assert "DAYBOOK" not in done.output


def test_a_program_that_exceeds_its_deadline_has_failed() -> None:
    done = run(Child([sys.executable, "-c", "import signal; signal.pause()"]), seconds=0.5)
    assert done.code != 0
    assert done.last_line().startswith("did not end within")


def test_a_program_that_does_not_exist_has_failed(tmp_path: Path) -> None:
    assert "No such file" in run(Child([str(tmp_path / "nothing")])).last_line()
    with pytest.raises(StackError, match="cannot be run"):
        spawn(Child([str(tmp_path / "nothing")]), tmp_path / "log")


@pytest.mark.parametrize("text", ["", "\n", "kafka", "-3", "0"])
def test_a_pid_file_without_a_pid_is_ignored(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kafka.pid"
    file.write_text(text)
    assert read_pid(file) is None


def test_each_start_has_a_new_log_and_the_previous_one_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    start_new_log(log)
    log.write_text("the first\n")
    start_new_log(log)
    assert not log.exists()
    assert (tmp_path / "kafka.log.1").read_text() == "the first\n"


def test_a_child_is_recognised_at_once(tmp_path: Path) -> None:
    for _ in range(20):
        pid = _spawn(WAIT, tmp_path)
        assert find_process(pid, sys.executable) is not None
        psutil.Process(pid).kill()


@pytest.mark.parametrize(
    ("program", "how"),
    [
        ("raise SystemExit(3)", "ended with exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by SIGKILL"),
        ("import os; os.kill(os.getpid(), 40)", "was ended by signal 40"),
    ],
)
def test_the_exit_code_or_signal_of_a_child_is_explained(tmp_path: Path, program: str, how: str) -> None:
    pid = _spawn(program, tmp_path)
    assert explain_end("it", pid, 1, tmp_path / "log").startswith(f"it (pid {pid}, port 1) {how}; the end of its log")


def test_the_end_of_another_process_is_explained_without_a_cause(tmp_path: Path) -> None:
    assert "(pid 1, port 1) has ended;" in explain_end("it", 1, 1, tmp_path / "log")
    assert "(pid unknown, port 1) has ended;" in explain_end("it", None, 1, tmp_path / "log")


def test_the_end_of_a_log_is_its_last_non_empty_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"{number}\n\n" for number in range(30)))
    assert end_of_log(log).splitlines() == [f"the end of its log, {log}:", *map(str, range(10, 30))]
    assert end_of_log(tmp_path / "none") == f"the end of its log, {tmp_path / 'none'}:"


def test_the_last_error_line_of_a_log_is_found_and_else_its_last_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("INFO one\nFATAL: no space\n\tat some.Java(Frame.java)\n")
    assert last_error_line(log) == "FATAL: no space"
    log.write_text("one\ntwo\n")
    assert last_error_line(log) == "two"


def _spawn(program: str, folder: Path) -> int:
    return spawn(Child([sys.executable, "-c", program]), folder / "log")


def _await_line(log: Path) -> None:
    done = run(Child(["sh", "-c", f"until grep -q waits {log}; do :; done"]), seconds=10)
    assert done.code == 0
