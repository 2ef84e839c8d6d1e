"""The recipes of docs/client.md for other languages, run against a real Daybook: TypeScript over HTTP with generated
types, and kafkajs over Kafka.
"""

import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from support.documents import ROOT
from support.node import NODE, NODE_MODULES
from support.processes import System, environment
from support.publisher import token

pytestmark = pytest.mark.timeout(240)

EXAMPLES = ROOT / "docs" / "examples"
FLAGS = ("--default-non-nullable", "false", "-o", "daybook.d.ts")
TSC = ("--strict", "--target", "es2022", "--module", "nodenext", "--noUncheckedIndexedAccess", "--types", "node")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the project's Node modules."""
    assert NODE_MODULES.is_dir(), "Node's modules are not installed; run: make tests/node/node_modules"
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    (tmp_path / "package.json").write_text('{"type": "module"}', "utf-8")
    return tmp_path


def node(folder: Path, *arguments: str, **env: str) -> str:
    done = subprocess.run(
        [NODE, *arguments], cwd=folder, env=os.environ | env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_typescript_program_compiles_and_runs(system: System, folder: Path) -> None:
    url = system.commands[0].url
    document = httpx.get(f"{url}/openapi.json", timeout=20).raise_for_status().content
    (folder / "openapi.json").write_bytes(document)
    shutil.copy(EXAMPLES / "send_command.ts", folder)
    node(folder, "node_modules/openapi-typescript/bin/cli.js", "openapi.json", *FLAGS)
    node(folder, "node_modules/typescript/bin/tsc", *TSC, "send_command.ts")
    bearer = token(system.settings, "service:shop")
    output = node(folder, "send_command.js", DAYBOOK_URL=url, DAYBOOK_TOKEN=bearer)
    assert [line.split() for line in output.splitlines()] == [
        ["REGISTER_USER", "accepted"],
        ["CREATE_ORG", "accepted"],
        ["CREATE_PROJECT", "rejected", "INVALID_COMMAND"],
    ]


def test_the_typescript_compiler_finds_a_wrong_field(system: System, folder: Path) -> None:
    document = httpx.get(f"{system.commands[0].url}/openapi.json", timeout=20).raise_for_status().content
    (folder / "openapi.json").write_bytes(document)
    text = (EXAMPLES / "send_command.ts").read_text("utf-8")
    wrong = text.replace('data: { name: "Acme" }', 'data: { title: "Acme" }')
    assert wrong != text
    (folder / "send_command.ts").write_text(wrong, "utf-8")
    node(folder, "node_modules/openapi-typescript/bin/cli.js", "openapi.json", *FLAGS)
    with pytest.raises(AssertionError, match="'title' does not exist"):
        node(folder, "node_modules/typescript/bin/tsc", *TSC, "send_command.ts")


def test_kafkajs_gets_the_outcome_of_its_command(system: System, folder: Path) -> None:
    shutil.copy(EXAMPLES / "publish.mjs", folder)
    assert node(folder, "publish.mjs", **environment(system.settings)) == "success true\n"
