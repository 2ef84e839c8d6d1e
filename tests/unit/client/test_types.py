"""Type checkers accept the examples, and find the mistakes that programs make with the client."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.documents import ROOT, blocks, page
from support.node import NODE, NODE_MODULES

pytestmark = pytest.mark.timeout(300)

PYRIGHT = NODE_MODULES / "pyright" / "index.js"
EXAMPLES = [ROOT / "docs" / "examples" / name for name in ("sync_worker.py", "shop_api.py")]
WRONG = """
from daybook_client import Accepted, Code, Daybook, Outcome, Rejected, Unknown, commands, new_id_of

ORG = ME = "00000000-0000-4000-8000-000000000001"
RENAME = commands.RenameOrg(org_id=ORG, name="x")


def describe(outcome: Outcome) -> str:  # wrong: Unknown is not handled
    match outcome:
        case Accepted():
            return "accepted"
        case Rejected():
            return "rejected"


async def mistakes(daybook: Daybook) -> None:
    commands.CreateProject(org_id=ORG, title="x")  # wrong: no such field
    commands.CreateProject(org_id=ORG)  # wrong: the name is missing
    commands.RenameOrg(org_id=ORG, name=3)  # wrong: a number
    commands.RenameOrg(ORG, "x")  # wrong: not by name
    commands.AddMember(org_id=ORG, user_id=ME, role="boss")  # wrong: no such role
    commands.RegisterUser(org_id=ORG, user_id=ME)  # wrong: users have no org
    commands.CreateProjct(org_id=ORG, name="x")  # wrong: misspelt
    RENAME.id = "another"  # wrong: a command keeps its id
    new_id_of(RENAME)  # wrong: it creates nothing
    outcome = await daybook.send(RENAME)
    print(outcome.position)  # wrong: it may have been rejected
    await daybook.send(RENAME, timeout=3)  # wrong: the parameter is called deadline
    if isinstance(outcome, Rejected) and outcome.code == Code.LAST_ONWER:  # wrong: misspelt
        return
    if isinstance(outcome, Unknown):
        await daybook.send(outcome)  # wrong: send its command, not the outcome
"""
MARKED = {at for at, line in enumerate(WRONG.splitlines(), 1) if "# wrong" in line}


def lines_found_by_mypy(*files: Path, cache: Path) -> set[tuple[str, int]]:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", str(cache)]
    done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False, cwd=ROOT / "docs")
    found = re.findall(r"^(.+?):(\d+): error: ", done.stdout, re.MULTILINE)
    assert found or done.returncode == 0, done.stdout + done.stderr
    return {(Path(name).name, int(line)) for name, line in found}


def lines_found_by_pyright(*files: Path) -> set[tuple[str, int]]:
    assert PYRIGHT.is_file(), "pyright is not installed; run: make tests/node/node_modules"
    command = [NODE, str(PYRIGHT), "--outputjson", "--pythonpath", sys.executable, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=files[0].parent)
    found = json.loads(done.stdout)
    assert found["summary"]["filesAnalyzed"] == len(files)
    faults = [fault for fault in found["generalDiagnostics"] if fault["severity"] == "error"]
    return {(Path(fault["file"]).name, fault["range"]["start"]["line"] + 1) for fault in faults}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "page_program.py"
    text = page("docs/client.md")
    path.write_text("\n".join(block.text for block in (*blocks(text, "python"), *blocks(text, "py"))), "utf-8")
    return path


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.py"
    path.write_text(WRONG, "utf-8")
    return path


def test_there_are_more_than_ten_mistakes() -> None:
    assert len(MARKED) > 10


def test_mypy_accepts_the_examples_and_finds_every_mistake(program: Path, wrong: Path, tmp_path: Path) -> None:
    found = lines_found_by_mypy(program, wrong, *EXAMPLES, cache=tmp_path / "cache")
    assert found == {("wrong.py", line) for line in MARKED}


def test_pyright_accepts_the_examples_and_finds_every_mistake(program: Path, wrong: Path) -> None:
    assert lines_found_by_pyright(wrong, program, *EXAMPLES) == {("wrong.py", line) for line in MARKED}
