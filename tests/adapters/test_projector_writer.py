"""The projector's writer on a real PostgreSQL: the rows that it writes equal an independent fold of the same
entries.
"""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daybook_contracts.entries import facts
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from support.histories import logs
from support.logbook import Logbook, log_with, org, project, user
from support.projecting import check_cuts, database, post

ORG, ANN, BOB = org(1), user(1), user(2)
SHARED_DATABASE = True


async def test_external_users_are_not_written(pool: Pool) -> None:
    log = log_with(ORG, users=(ANN, BOB))
    await pool.execute("INSERT INTO auth.users VALUES ($1, now())", ANN)
    await pool.execute("INSERT INTO auth.users VALUES ($1, now())", BOB)
    assert await post(pool, log, managed=False) == []
    assert await pool.fetchval("SELECT count(*) FROM auth.users") == 2
    assert await pool.fetchval("SELECT count(*) FROM audit_log") == 3


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(log=logs, limit=st.integers(1, 8), cut=st.integers(1, 40))
async def test_any_cut_into_batches_gives_the_same_tables(
    shared_settings: Settings, log: Logbook, limit: int, cut: int
) -> None:
    async with database(shared_settings) as pool:
        await check_cuts(pool, log, limit, cut, 5000)


async def test_transient_and_replaced_rows_are_written_correctly(pool: Pool) -> None:
    log = log_with(ORG, users=(ANN, BOB))
    log.add(ORG, ANN, facts.ProjectCreated(name="p", project_id=project(1)))
    for _ in range(2):
        log.add(ORG, ANN, facts.MemberAdded(role="admin", user_id=BOB))
        log.add(ORG, ANN, facts.ProjectMemberAdded(project_id=project(1), role="editor", user_id=BOB))
        log.add(ORG, ANN, facts.MemberRemoved(user_id=BOB, project_ids=(project(1),)))
    log.add(ORG, ANN, facts.MemberAdded(role="viewer", user_id=BOB))
    await check_cuts(pool, log, 5000, 6, 7, 8)
