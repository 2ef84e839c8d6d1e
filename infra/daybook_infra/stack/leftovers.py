"""What a killed `daybook up` left behind: its services are ended, its servers are the next one's to stop."""

import sys
from pathlib import Path

import psutil

from daybook_infra.stack.interface import Part, Say, StackError
from daybook_infra.stack.lock import is_held
from daybook_infra.stack.places import EVERYBODY_READS, Home, write_file
from daybook_infra.stack.processes import alive, end, read_pid

UP_RUNS = "`daybook up` runs on this stack: end that first (Ctrl-C there)"
SERVICES = ("command", "projector")


def refuse_while_up_runs(home: Home) -> None:
    if is_held(home.lock("up")):
        raise StackError(UP_RUNS)


def end_services(home: Home, say: Say) -> None:
    """Only with nobody's `up` running: then whatever the pid files name is an orphan."""
    for service, process in services_left_behind(home).items():
        say(f"ending a {service} service that was left behind (pid {process.pid})")
        end(process, service, say)
    for service in SERVICES:
        home.pid_file(service).unlink(missing_ok=True)


def services_left_behind(home: Home) -> dict[str, psutil.Process]:
    found = {service: alive(read_pid(home.pid_file(service)), sys.executable, service) for service in SERVICES}
    return {service: process for service, process in found.items() if process is not None}


def note_started(home: Home, parts: frozenset[Part]) -> None:
    """What the running `up` has to stop, for the next one to read if this one is killed."""
    write_file(_note(home), " ".join(sorted(parts)), EVERYBODY_READS)


def started_before(home: Home) -> frozenset[Part]:
    """Empty unless an `up` died without stopping its servers."""
    file = _note(home)
    noted = file.read_text(encoding="utf-8").split() if file.is_file() else []
    return frozenset(part for part in Part if part in noted)


def forget_started(home: Home) -> None:
    """From now on the servers are nobody's: they run until `stack down`."""
    _note(home).unlink(missing_ok=True)


def _note(home: Home) -> Path:
    return home.folder / "run" / "up.started"
