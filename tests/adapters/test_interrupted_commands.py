"""SIGTERM interrupts a long command, run as its users run it: the exit code is 130, and no temporary file remains."""

from pathlib import Path

import pytest

from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from support.logbook import org
from support.projecting import until
from support.shell import finish, start

INTERRUPTED = 130
ORG = org(1)
WAITING = """
SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@pytest.mark.parametrize(
    ("command", "table"),
    [
        ("audit verify", "daybook.checkpoints"),
        ("audit replay --as-of 0.0", "daybook.checkpoints"),
        ("audit replay --as-of 0.0 --diff", "daybook.checkpoints"),
        (f"audit explain orgs {ORG}", "daybook.checkpoints"),
        ("audit restore-topic --yes", "daybook.checkpoints"),
        ("projector rebuild --check", "daybook.checkpoints"),
        (f"projector rebuild --org {ORG} --check", "audit_log"),
        (f"projector heal {ORG} --check", "audit_log"),
    ],
)
async def test_sigterm_is_an_interruption(
    settings: Settings, pool: Pool, tmp_path: Path, command: str, table: str
) -> None:
    """The command waits for the table when the signal comes."""
    async with pool.acquire() as locking, locking.transaction():
        await locking.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        running = await start(settings, *command.split(), TMPDIR=str(tmp_path))

        async def is_waiting() -> bool:
            return running.returncode is not None or bool(await pool.fetchval(WAITING, table))

        await until(is_waiting, "the command waits for the table")
        assert running.returncode is None, await finish(running)
        running.terminate()
        ended = await finish(running)
    assert ended.code == INTERRUPTED, ended
    assert names_in(tmp_path) == []


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]
