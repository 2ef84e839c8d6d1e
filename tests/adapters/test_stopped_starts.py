"""SIGTERM and Ctrl-C while a service still waits for its servers: it stops cleanly and at once."""

import os
import signal
import subprocess
import sys

import pytest

from daybook_projector.main import STOP_SECONDS

AWAY = {"DAYBOOK_KAFKA_BOOTSTRAP": "127.0.0.1:1", "DAYBOOK_DATABASE_URL": "postgresql://u:p@127.0.0.1:1/x"}
KEYS = {"DAYBOOK_JWT_SECRET": "hush-hush-a-key-of-32-characters"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("role", "keys"),
    [("command", KEYS), ("projector", KEYS), ("projector", {})],
    ids=["command", "projector", "projector without the read API"],
)
def test_a_signal_during_the_start_stops_the_service_cleanly(
    role: str, keys: dict[str, str], number: signal.Signals
) -> None:
    program = [sys.executable, "-m", "daybook_infra", role, "run", "--port", "0"]
    with subprocess.Popen(program, env=os.environ | AWAY | keys, stderr=subprocess.STDOUT, stdout=-1) as starting:
        try:
            assert starting.stdout is not None
            assert any(b"waiting_for_server" in line for line in starting.stdout)
            starting.send_signal(number)
            # STOP_SECONDS is the time that a stopping projector gives its batches, and no batch is in progress here.
            assert starting.wait(STOP_SECONDS) == 0
            assert b"Traceback" not in starting.stdout.read()
        finally:
            starting.kill()
