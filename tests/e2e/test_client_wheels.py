"""In a virtual environment with only the wheels of the client and the contracts, the program in docs/client.md runs,
and so does pytest.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from support.documents import ROOT, blocks, page
from support.processes import System
from support.publisher import token

pytestmark = pytest.mark.timeout(300)

(PROGRAM,) = blocks(page("docs/client.md"), "python")
UV = Path(sys.executable).with_name("uv")
URL = "http://127.0.0.1:8000"
SLOW = {"aiokafka", "httpx", "pydantic"}


def run(*arguments: str | Path, text: str = "") -> str:
    done = subprocess.run(arguments, input=text, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the two wheels, their dependencies, and pytest."""
    folder = tmp_path_factory.mktemp("wheels")
    for package in ("contracts", "contracts/client"):
        run(UV, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "-o", folder, ROOT / package)
    interpreter = folder / "venv" / "bin" / "python"
    run(UV, "venv", "--python", sys.executable, folder / "venv")
    locked = ROOT / "requirements.lock"
    found = ("--find-links", folder, "daybook-client[http]", "pytest")
    run(UV, "pip", "install", "--python", interpreter, "--constraint", locked, *found)
    return interpreter


async def test_the_commands_of_the_pages_program_are_accepted(python: Path, system: System) -> None:
    program = PROGRAM.text.replace(URL, system.commands[0].url)
    assert program != PROGRAM.text
    output = run(python, "-I", "-c", program, text=token(system.settings, "service:shop") + "\n")
    lines = output.removeprefix("A token: ").splitlines()
    assert [line.split(":")[0] for line in lines] == ["REGISTER_USER", "CREATE_ORG", "CREATE_PROJECT"]
    assert all(" at " in line for line in lines), output


def test_importing_the_client_loads_no_slow_module(python: Path) -> None:
    program = f"import sys, daybook_client; print(sys.modules.keys() & {SLOW})"
    assert run(python, "-I", "-c", program).strip() == "set()"


def test_pytest_runs_without_the_extra_for_tests(python: Path, tmp_path: Path) -> None:
    test = tmp_path / "test_project.py"
    test.write_text("def test_of_a_project():\n    pass\n", encoding="utf-8")
    output = run(python, "-I", "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", "--rootdir", tmp_path, test)
    assert "plugins: " in output
    assert "daybook-client" in output
    assert "1 passed" in output


def test_the_environment_has_no_other_package_of_daybook(python: Path) -> None:
    listed = run(UV, "pip", "list", "--python", python, "--format", "freeze")
    assert [line.split("==")[0] for line in listed.splitlines() if "daybook" in line] == [
        "daybook-client",
        "daybook-contracts",
    ]
