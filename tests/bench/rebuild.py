r"""Prints how fast a rebuild fills the nine tables, beside psql's binary `\copy` of the same rows into tables with all
keys (the two alternate), how many entries a second one core folds, and how long the whole command takes. It asserts
nothing about time.
`python tests/bench/rebuild.py [--entries N] [--rounds N]`.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.cpu_time import Cost, open_meter
from bench.figures import say
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import free_json
from daybook_contracts.log.head import NOTHING_PROJECTED
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.programs import POSTGRES, postgres
from daybook_projector.audit.fold.fold import PartitionFold
from daybook_projector.rebuild.filling import fill
from daybook_projector.rebuild.folding import fold_pages
from daybook_projector.rebuild.shadow_fold import ShadowFold, add_keys
from daybook_projector.rebuild.shadow_tables import ShadowTables, new_schema
from daybook_projector.rebuild.whole_rebuild import WholeRebuild, open_whole_rebuild
from support.healing import silent
from support.hub_scene import connection_created
from support.logbook import Logbook, org_in, project, thing, user_in
from support.projecting import database, empty_tables, post, publish
from support.rebuilding import NINE_TABLES
from support.stack import Fresh, own_stack

PARTITIONS = 4
COUNT = " + ".join(f"(SELECT count(*) FROM {table})" for table in NINE_TABLES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with own_stack() as stack, tempfile.TemporaryDirectory() as folder:
        fresh = Fresh(stack.servers())
        filled, copied = fresh(partitions=PARTITIONS), fresh(partitions=PARTITIONS)
        asyncio.run(run(filled, copied, Path(folder), args.entries, args.rounds))


async def run(filled: Settings, copied: Settings, folder: Path, entries: int, rounds: int) -> None:
    log = history(entries)
    await publish(filled, log)
    async with database(filled) as pool:
        assert await post(pool, log) == []
        await pool.execute("VACUUM ANALYZE", timeout=600)
        rows = await pool.fetchval(f"SELECT {COUNT}")
        export(filled, folder)
        async with database(copied) as other:
            measured = [await one_round(filled, copied, other, folder) for _ in range(rounds)]
    report(sum(map(len, log.records)), len(log.records[1]), rows, measured)


def history(entries: int) -> Logbook:
    """Orgs with members, projects, connections, runs, dead letters, alerts and secret references."""
    log, people = Logbook(PARTITIONS), [user_in(0, PARTITIONS, number) for number in range(50)]
    for person in people:
        log.register(person)
    homes = [
        (org_in(partition, PARTITIONS, number), 10 * number + partition)
        for partition in range(PARTITIONS)
        for number in range(5)
    ]
    for org_id, at in homes:
        log.add(org_id, people[0], facts.OrgCreated(name="Org"))
        for person in people[1:]:
            log.add(org_id, people[0], facts.MemberAdded(user_id=person, role="member"))
        log.add(
            org_id,
            people[0],
            facts.ProjectCreated(project_id=project(at), name="Web"),
            connection_created(thing(at), project(at)),
        )
    number = 1000
    while sum(map(len, log.records)) < entries:
        for org_id, at in homes:
            number += 10
            _happenings(log, org_id, people[0], at, number)
    return log


def _happenings(log: Logbook, org_id: str, actor: str, at: int, number: int) -> None:
    """Eight entries, six rows."""
    shop = thing(at)
    started = facts.SyncStarted(connection_id=shop, sync_run_id=thing(number))
    log.add(org_id, None, started)
    log.add(org_id, None, facts.SyncCompleted(connection_id=shop, sync_run_id=started.sync_run_id))
    for each in range(3):
        payload = free_json({"event": "PURCHASE_APPROVED", "id": number, "buyer": "somebody", "amount": 129.9})
        letter = facts.DlqEventRecorded(connection_id=shop, dlq_event_id=thing(number + 1 + each), payload=payload)
        log.add(org_id, None, letter)
    log.add(
        org_id, None, facts.DlqEventResolved(connection_id=shop, dlq_event_id=thing(number + 1), resolution="manual")
    )
    alert = facts.AlertRaised(alert_id=thing(number + 5), project_id=project(at), severity="info", message="noticed")
    log.add(org_id, actor, alert)
    key = facts.SecretRefCreated(secret_ref_id=thing(number + 6), key_name=f"key {number}", secret_id_ref="env:KEY")
    log.add(org_id, actor, key)


def psql(settings: Settings, *commands: str) -> None:
    program = postgres().root / POSTGRES / "bin" / "psql"
    arguments = [word for command in commands for word in ("-c", command)]
    url = settings.database_url.get_secret_value()
    subprocess.run([program, "-q", "-v", "ON_ERROR_STOP=1", *arguments, url], check=True, stdout=subprocess.DEVNULL)


def export(settings: Settings, folder: Path) -> None:
    for table in ("auth.users", *NINE_TABLES):
        psql(settings, f"\\copy {table} TO '{folder / table}' WITH (FORMAT binary)")


@dataclass(frozen=True, slots=True)
class Round:
    psql: Cost
    fill: Cost
    fold: Cost
    whole: Cost


async def one_round(filled: Settings, copied: Settings, other: Pool, folder: Path) -> Round:
    await empty_tables(other)
    psql(copied, f"\\copy auth.users FROM '{folder / 'auth.users'}' WITH (FORMAT binary)")
    async with open_whole_rebuild(filled, "topic", silent) as rebuilding:
        meter = await open_meter(rebuilding.state.connection)
        copying = await meter.of(copy(copied, folder))
        whole = await meter.of(compare(rebuilding))
        fill = await meter.of(fill_again(rebuilding.state))
        fold = await meter.of(fold_again(filled, rebuilding.state))
    return Round(copying, fill, fold, whole)


async def copy(copied: Settings, folder: Path) -> None:
    commands = [f"\\copy {table} FROM '{folder / table}' WITH (FORMAT binary)" for table in NINE_TABLES]
    await asyncio.to_thread(psql, copied, *commands)


async def compare(rebuilding: WholeRebuild) -> None:
    assert not await rebuilding.compare()


async def fill_again(state: ShadowFold) -> None:
    """Fills tables from the folds on disk, with keys, over one connection, like psql."""
    shadows = ShadowTables(new_schema(), state.shadows.tables)
    await shadows.create(state.connection)
    for partition in range(PARTITIONS):
        with closing(state.open_fold(partition)) as fold:
            await fill(state.connection, shadows, fold)
    await add_keys(state.connection, shadows)
    await shadows.drop(state.connection)


async def fold_again(settings: Settings, state: ShadowFold) -> None:
    """Reads one partition from the topic and folds it, on one core."""
    with tempfile.TemporaryDirectory() as folder, closing(PartitionFold(Path(folder), 1, state.rules)) as fold:
        await fold_pages(state.entries.read(1, NOTHING_PROJECTED, state.folded[1]), fold, 1)


def report(entries: int, in_one: int, rows: int, rounds: list[Round]) -> None:
    def line(what: str, costs: Iterable[Cost], number: int, of: str) -> None:
        found = list(costs)
        seconds, cpu, own = (median(getattr(each, name) for each in found) for name in ("seconds", "cpu", "own"))
        rate = f"{number / seconds:9,.0f} {of}/s"
        say(f"  {what:<60} {seconds:6.2f} s {rate}; CPU {cpu:6.2f} s, without PostgreSQL {own:.2f}")

    say(f"{entries:,} entries, {rows:,} rows in nine tables; medians of {len(rounds)} rounds")
    by_clock = sorted(each.psql.seconds / each.fill.seconds for each in rounds)
    by_cpu = sorted(each.psql.cpu / each.fill.cpu for each in rounds)
    for name, ratios in (("by the clock", by_clock), ("by CPU time", by_cpu)):
        say(f"psql's copy / filling, {name}: {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    line("psql copies the rows into tables with all keys", (each.psql for each in rounds), rows, "rows")
    line("filling: rows are copied from the fold, then keys are added", (each.fill for each in rounds), rows, "rows")
    line("folding: a partition is read from the topic and folded", (each.fold for each in rounds), in_one, "entries")
    line("whole: folded, filled, read back and compared", (each.whole for each in rounds), entries, "entries")


if __name__ == "__main__":
    main()
