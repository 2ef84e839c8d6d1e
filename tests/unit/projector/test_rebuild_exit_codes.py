"""`daybook projector rebuild` and `heal` exit with 1 only if rows differ: an error has an exit code of its own."""

import os
import subprocess
import sys

import pytest

from support.logbook import org

AWAY = {"DAYBOOK_KAFKA_BOOTSTRAP": "127.0.0.1:1", "DAYBOOK_DATABASE_URL": "postgresql://daybook:x@127.0.0.1:1/daybook"}
WRONG = {"DAYBOOK_PARTITIONS": "0"}
ORG = org(1)


@pytest.mark.parametrize(
    ("command", "variables"),
    [
        ("rebuild --check", AWAY),
        ("rebuild --yes", AWAY),
        (f"rebuild --org {ORG} --check", AWAY),
        (f"heal {ORG}", AWAY),
        (f"heal {ORG} --check", AWAY),
        (f"heal {ORG} --check", WRONG),
    ],
)
def test_an_error_has_an_exit_code_of_its_own(command: str, variables: dict[str, str]) -> None:
    program = [sys.executable, "-m", "daybook_infra", "projector", *command.split()]
    own = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
    done = subprocess.run(program, env=own | variables, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
