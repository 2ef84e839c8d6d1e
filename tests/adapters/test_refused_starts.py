"""Settings with which the services refuse to start, with one clear error that shows no key."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import free_port

KEY, OTHER = "hush-hush-a-key-of-32-characters", "hush-hush-the-key-of-the-door-ok"
TOKENS = {"DAYBOOK_JWT_SECRET": KEY}
REFUSED = {
    "no keys for tokens": (
        {},
        (
            "no key is set to verify tokens with: set DAYBOOK_JWT_SECRET or DAYBOOK_JWKS_URL; if all callers are "
            "services, DAYBOOK_SERVICE_JWT_SECRET or DAYBOOK_SERVICE_JWKS_URL is enough\n"
        ),
    ),
    "one secret for users and services": (
        TOKENS | {"DAYBOOK_SERVICE_JWT_SECRET": KEY},
        "DAYBOOK_SERVICE_JWT_SECRET equals DAYBOOK_JWT_SECRET: users and services need different keys",
    ),
    "keys fetched in the clear": (
        {"DAYBOOK_JWKS_URL": "http://login.example.org/keys"},
        "DAYBOOK_JWKS_URL: must be https, or http on loopback",
    ),
    "a policy without a key of the door": (
        TOKENS | {"DAYBOOK_SERVICES": "services.toml"},
        "DAYBOOK_DOOR_KEY is not set: with DAYBOOK_SERVICES the HTTP door signs what it publishes",
    ),
    "a policy with a fault": (
        TOKENS | {"DAYBOOK_SERVICES": "services.toml", "DAYBOOK_DOOR_KEY": OTHER},
        "DAYBOOK_SERVICES: services.toml: billing.orgs item 1 must be a UUID",
    ),
}


@pytest.mark.parametrize(("env", "error"), REFUSED.values(), ids=REFUSED.keys())
def test_a_start_is_refused_in_one_line(tmp_path: Path, env: dict[str, str], error: str) -> None:
    file = tmp_path / "services.toml"
    file.write_text(f'[billing]\ncommands = "*"\norgs = ["hush"]\nkey = "{OTHER[::-1]}"\n', encoding="utf-8")
    file.chmod(0o600)
    program = [sys.executable, "-m", "daybook_infra", "command", "run", "--port", "0"]
    done = subprocess.run(
        program, env=os.environ | env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {error}")
    assert len(done.stderr.splitlines()) == 1
    assert "hush" not in done.stderr


@pytest.mark.parametrize("option", ["--port", "DAYBOOK_ADMIN_PORT"])
def test_the_projector_names_a_port_that_is_taken_in_one_line(option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = projector_on(port) if option == "--port" else projector_on(0, DAYBOOK_ADMIN_PORT=str(port))
    expected = f"Error: cannot listen on 127.0.0.1:{port} (Address already in use); choose another port with {option}"
    assert refused == (1, [expected])


def test_the_projector_names_an_address_of_another_machine_in_one_line() -> None:
    code, (error,) = projector_on(0, "192.0.2.1")
    assert code == 1
    assert error.startswith("Error: cannot listen on 192.0.2.1:0 (")


def projector_on(port: int, host: str = "127.0.0.1", **env: str) -> tuple[int, list[str]]:
    """The exit code of a projector that cannot serve its read API at this address, and what it says on stderr. Its
    servers are away, and it must not wait for them before it listens.
    """
    servers = {
        "DAYBOOK_KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}",
        "DAYBOOK_DATABASE_URL": f"postgresql://nobody:x@127.0.0.1:{free_port()}/none",
    }
    program = [sys.executable, "-m", "daybook_infra", "projector", "run", "--host", host, "--port", str(port)]
    done = subprocess.run(
        program, env=os.environ | TOKENS | servers | env, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, [line for line in done.stderr.splitlines() if not line.startswith("{")]
