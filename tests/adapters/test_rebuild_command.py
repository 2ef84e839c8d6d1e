"""`daybook projector rebuild`: the confirmation, the output and the changes."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from daybook_contracts.entries import facts
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.postgres.writer import Writer
from daybook_projector.projections.changes import Change
from daybook_projector.projections.fold import Folds
from daybook_projector.projections.orgs import renamed
from daybook_projector.projections.rule import Columns
from daybook_projector.rebuild.differences import Difference
from daybook_projector.rebuild.org_rebuild import open_org_rebuild
from support.chain import Json
from support.healing import older_than, silent
from support.logbook import log_with, org_in, user, user_in
from support.poison import ORG, OTHER_ORG
from support.projecting import check_fold, database, post, publish, quarantine, tables
from support.rebuilding import (
    DAMAGE_TO_TWO_ORGS,
    EMPTIED,
    NINE_TABLES,
    full,
    hurt,
    rebuild,
    run_rebuild,
)
from support.shell import Completed, run_daybook
from support.stack import FreshSettings
from support.worker_pools import use_processes

GENERATIONS = "SELECT org_id::text, generation FROM daybook.quarantine WHERE released_at IS NOT NULL"
TOLD = (
    "public.orgs: 0 missing, 1 different, 0 surplus\n"
    f"  different {OTHER_ORG}: name\n"
    "public.org_members: 1 missing, 0 different, 0 surplus\n"
    f"  missing {ORG} {user(2)}\n"
)


async def generations(pool: Pool) -> dict[str, int]:
    return {row[0]: row[1] for row in await pool.fetch(GENERATIONS)}


async def test_nothing_is_changed_without_a_confirmation(settings: Settings, pool: Pool) -> None:
    log = full()
    await publish(settings, log)
    await post(pool, log)
    await hurt(pool, *DAMAGE_TO_TWO_ORGS)
    before = await tables(pool)
    asked, checked = await run_rebuild(settings), await run_rebuild(settings, "--check")
    reminder = "nothing was changed: run the command again with --yes\n"
    assert (asked, checked) == (Completed(1, TOLD, reminder), Completed(1, TOLD, ""))
    assert await tables(pool) == before
    assert await run_rebuild(settings, "--yes") == Completed(0, f"{TOLD}2 rows corrected\n", "")
    await check_fold(pool, log)
    for arguments in ((), ("--check",), ("--yes",), ("--from", "audit_log")):
        assert await run_rebuild(settings, *arguments) == Completed(0, "the tables agree with the log\n", "")
    assert await generations(pool) == {ORG: 1, OTHER_ORG: 1}


async def test_the_certificate_after_a_rebuild_equals_the_one_from_before_the_damage(
    settings: Settings, pool: Pool, tmp_path: Path
) -> None:
    log = full()
    await publish(settings, log)
    await post(pool, log)
    before = await certificate(settings, tmp_path / "before.json", 0)
    await hurt(pool, EMPTIED)
    assert (await certificate(settings, tmp_path / "damaged.json", 1))["tables"] != before["tables"]
    await rebuild(settings, "topic")
    assert await certificate(settings, tmp_path / "after.json", 0) == before


async def certificate(settings: Settings, path: Path, code: int) -> Json:
    done = await run_daybook(settings, "audit", "verify", "--certificate", str(path))
    assert done.code == code, done
    found: Json = json.loads(await asyncio.to_thread(path.read_bytes))
    return {name: member for name, member in found.items() if name != "made_at"}


async def test_one_org_is_rebuilt_from_either_source(settings: Settings, pool: Pool) -> None:
    log = full()
    await publish(settings, log)
    await post(pool, log)
    for number, source in enumerate(("audit_log", "topic"), start=1):
        await hurt(pool, *DAMAGE_TO_TWO_ORGS)
        arguments = ("--org", ORG, "--from", source)
        told = "".join(TOLD.splitlines(keepends=True)[2:])
        assert (await run_rebuild(settings, *arguments)).code == 1
        assert await run_rebuild(settings, *arguments, "--yes") == Completed(0, f"{told}1 row corrected\n", "")
        done = Completed(0, f"the rows of org {ORG} agree with the log\n", "")
        assert await run_rebuild(settings, *arguments, "--check") == done
        assert await generations(pool) == {ORG: number}
    assert (await tables(pool))["orgs"][OTHER_ORG,][0] == "x"


async def test_an_org_of_another_partition_is_rebuilt(fresh_settings: FreshSettings) -> None:
    settings, ann, hurt_org = fresh_settings(partitions=3), user_in(2, 3), org_in(2, 3)
    log = log_with(hurt_org, org_in(0, 3), users=[user_in(0, 3), ann], partitions=3)
    log.add(hurt_org, ann, facts.MemberAdded(role="admin", user_id=ann))
    async with database(settings) as pool:
        assert await post(pool, log) == []
        await pool.execute("UPDATE orgs SET name = 'x'")
        done = await run_rebuild(settings, "--org", hurt_org, "--yes")
        assert (done.code, done.stdout.splitlines()[-1]) == (0, "1 row corrected")
        assert await generations(pool) == {hurt_org: 1}
        assert (await rebuild(settings)) == [Difference("public.orgs", other=1)]
        assert await generations(pool) == {hurt_org: 1, org_in(0, 3): 1}
        await check_fold(pool, log)


async def test_the_rebuild_of_an_org_in_quarantine_releases_it(settings: Settings, pool: Pool) -> None:
    log = full()
    assert len(await post(pool, log, kind=older_than(facts.OrgRenamed))) == 1
    assert (await run_rebuild(settings, "--org", ORG)).code == 1
    assert len(await quarantine(pool)) == 1
    released = await run_rebuild(settings, "--org", ORG, "--yes")
    assert (released.code, released.stdout.splitlines()[-1]) == (0, f"org {ORG} is released")
    await check_fold(pool, log)


async def test_a_mere_release_needs_a_confirmation_too(settings: Settings, pool: Pool) -> None:
    log = full()
    assert len(await post(pool, log, kind=older_than(facts.OrgRenamed))) == 1
    async with open_org_rebuild(settings, "audit_log", ORG, silent) as rebuilding:
        await rebuilding.compare()
        await rebuilding.apply()
    await pool.execute("UPDATE daybook.quarantine SET released_at = NULL")
    agreeing = f"the rows of org {ORG} agree with the log\n"
    reminder = "nothing was changed: run the command again with --yes\n"
    assert await run_rebuild(settings, "--org", ORG) == Completed(1, agreeing, reminder)
    assert len(await quarantine(pool)) == 1
    assert await run_rebuild(settings, "--org", ORG, "--check") == Completed(0, agreeing, "")
    told = f"{agreeing}0 rows corrected\norg {ORG} is released\n"
    assert await run_rebuild(settings, "--org", ORG, "--yes") == Completed(0, told, "")
    assert await quarantine(pool) == []
    await check_fold(pool, log)


def renamed_in_capitals(entry: Columns, fact: facts.OrgRenamed) -> Iterable[Change]:
    return renamed(entry, facts.OrgRenamed(name=fact.name.upper()))


class OtherVersion(Writer):
    """Folds one kind of entry differently."""

    def __init__(self, pool: Pool, rules: Folds) -> None:
        super().__init__(pool, {**rules, facts.OrgRenamed: (renamed_in_capitals,)})


async def test_a_version_that_folds_differently_shows_the_differences_before_any_change(
    settings: Settings, pool: Pool
) -> None:
    await post(pool, full(), kind=OtherVersion)
    told = await run_rebuild(settings, "--from", "audit_log")
    assert (told.code, told.stdout) == (1, f"public.orgs: 0 missing, 1 different, 0 surplus\n  different {ORG}: name\n")
    assert (await tables(pool))["orgs"][ORG,][0] == "UNKNOWN"


async def test_a_long_log_is_folded_in_several_processes(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools = use_processes(monkeypatch)
    log = full()
    await publish(settings, log)
    await post(pool, log)
    await hurt(pool, EMPTIED)
    found = await rebuild(settings, "topic")
    assert pools
    public = {f"public.{name}" for name in NINE_TABLES}
    assert {each.table for each in found} == public | {"auth.users", "daybook.connection_activity"}
    await check_fold(pool, log)
