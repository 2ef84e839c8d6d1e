"""Sends a running API random requests that schemathesis makes from its OpenAPI document."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.documents import ROOT

TESTS: Final = ROOT / "tests"
SEED: Final = 1


@dataclass(frozen=True, slots=True)
class Target:
    """An API. Most requests are for the org, with the caller's token; `position` is projected."""

    url: str
    authorization: str
    org_id: str
    position: str


async def report_of_random_requests(target: Target, phases: str, folder: Path) -> str:
    """Schemathesis's report; empty if all answers were as documented. Schemathesis sends requests that the document
    allows and others that it forbids, thousands in the phase `coverage`. It writes its own files to `folder`.
    """
    running = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(TESTS / "schemathesis.toml")),
        *("--no-color", "run", f"{target.url}/openapi.json", "--phases", phases, "--seed", str(SEED)),
        *("--header", f"Authorization: {target.authorization}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TESTS), "ORG_ID": target.org_id, "POSITION": target.position},
    )
    try:
        report, _ = await running.communicate()
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
    return report.decode() if running.returncode else ""
