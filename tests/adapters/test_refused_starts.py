"""Settings with which the command service refuses to start, with one clear error that shows no key."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
