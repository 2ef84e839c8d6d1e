"""Commands of auditors whose temporary folder is full. A limit on the size of files stands for the full disk."""

import asyncio
import shlex

import pytest

from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from support.processes import DAYBOOK, environment
from support.projecting import post
from support.rebuilding import full
from support.shell import finish

SHARED_DATABASE = True
KIB = 8


@pytest.mark.parametrize(
    "command",
    [
        "audit replay --as-of 2030-01-01T00:00:00Z --from audit_log",
        "audit verify --scope audit_log --scope tables",
        "projector rebuild --check --from audit_log",
    ],
)
async def test_a_command_says_that_its_temporary_folder_is_full(settings: Settings, pool: Pool, command: str) -> None:
    await post(pool, full())
    limited = f"ulimit -f {KIB}; exec {shlex.quote(str(DAYBOOK))} {command}"
    pipe = asyncio.subprocess.PIPE
    started = await asyncio.create_subprocess_exec(
        *("bash", "-c", limited), env=environment(settings), stdin=pipe, stdout=pipe, stderr=pipe
    )
    done = await finish(started)
    assert done.code == 2
    assert "the temporary folder" in done.stderr
    assert "set TMPDIR" in done.stderr
    assert "Traceback" not in done.stderr
