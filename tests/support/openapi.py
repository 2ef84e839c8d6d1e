"""Sends random requests to a running API, made by schemathesis from the API's OpenAPI document."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

from support.documents import ROOT

TESTS: Final = ROOT / "tests"
SEED: Final = 1


async def report_of_random_requests(url: str, authorization: str, folder: Path, phases: str) -> str:
    """Schemathesis's report on the API; empty if all answers were as documented. It sends requests that the document
    allows and requests that it does not allow. It writes its own files to `folder`. Of the `phases`, `coverage` sends
    thousands of requests.
    """
    running = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(TESTS / "schemathesis.toml")),
        *("--no-color", "run", f"{url}/openapi.json"),
        *("--header", f"Authorization: {authorization}", "--seed", str(SEED), "--phases", phases),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    report, _ = await running.communicate()
    return report.decode() if running.returncode else ""
