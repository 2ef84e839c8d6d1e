"""`daybook audit verify` and `explain` read a long log in several processes, with the same results as in one thread."""

import pytest

from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.explain.row_name import read_row_name
from daybook_projector.audit.explain.run import explain_row
from daybook_projector.audit.verify.report import Verified
from daybook_projector.audit.verify.run import Request, verify
from support.auditing import silent
from support.logbook import thing
from support.poison import ORG
from support.projecting import post, publish
from support.rebuilding import EMPTIED, NINE_TABLES, full, hurt
from support.worker_pools import use_processes


@pytest.fixture
async def log(settings: Settings, pool: Pool) -> None:
    log = full()
    await publish(settings, log)
    await post(pool, log)


async def verified(settings: Settings, org_id: str | None) -> Verified:
    return await verify(settings, Request(org_id=org_id), silent)


@pytest.mark.parametrize("org_id", [None, ORG], ids=["all", "one org"])
async def test_several_processes_verify_each_table_as_one_thread_does(
    settings: Settings, pool: Pool, log: None, monkeypatch: pytest.MonkeyPatch, org_id: str | None
) -> None:
    valid = await verified(settings, org_id)
    assert valid.findings == ()
    assert {table.name for table in valid.tables if table.rows} >= set(NINE_TABLES)
    pools = use_processes(monkeypatch)
    assert await verified(settings, org_id) == valid
    assert pools
    await hurt(pool, EMPTIED)
    found = await verified(settings, org_id)
    assert {each.table for each in found.findings if each.check == "missing"} >= set(NINE_TABLES)
    assert {each.table for each in found.findings} - set(NINE_TABLES) <= {"auth.users"}


async def test_several_processes_explain_a_row_as_one_thread_does(
    settings: Settings, log: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = read_row_name("sync_runs", [thing(2)])
    explained = await explain_row(settings, name, None, "topic", silent)
    assert explained.history.steps
    pools = use_processes(monkeypatch)
    assert await explain_row(settings, name, None, "topic", silent) == explained
    assert pools
