r"""The projector, bulk, against psql's `\copy`: `python tests/bench/projector_bulk.py [--commands N]`.

Ours: a projector starts with empty tables and projects the whole log of a system that has founded 1,000 orgs and
decided mixed commands. The clock and the CPU time run from the projector's first transaction to its last, so the start
of its process does not count. Theirs: psql copies the same rows, in binary, over one connection, into the same tables,
which keep all their keys.
The value is entries a second; the goal is 0.85 of psql's.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.measuring import kafka_load
from bench.measuring.comparison import Done, Figure, Side, compare
from bench.measuring.kafka_load import Mode, command_record
from bench.measuring.orgs import ORGS, Orgs
from bench.measuring.running import CHECKPOINTS, Bench, bench_orgs, log_end, server_pids
from bench.measuring.usage import Watch
from daybook_infra.runtime.postgres.connections import Connection
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.programs import POSTGRES, postgres
from support.driving import open_database
from support.projecting import EMPTY_TABLES
from support.rebuilding import NINE_TABLES

FIGURE = Figure("projector_bulk", "projector, bulk, against \\copy", 0.85, at_least=True, unit="entries/s")
TABLES = (*NINE_TABLES, "audit_log")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=60_000, help="mixed commands in the log")
    parser.add_argument("--orgs", type=int, default=ORGS)
    args = parser.parse_args()
    with bench_orgs(args.orgs) as (bench, orgs), tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(bench, orgs, args.commands, Path(folder)))


async def run(bench: Bench, orgs: Orgs, commands: int, folder: Path) -> None:
    records = [command_record(send, bench.settings.partitions) for send in orgs.mixed(commands)]
    await kafka_load.run(bench.settings, Mode.FLOOD, "commands", records)
    await bench.until_projected()
    await asyncio.to_thread(bench.system.stop)
    copied, end = bench.systems.fresh_settings(), await log_end(bench.settings)
    for table in ("auth.users", *TABLES):
        psql(bench.settings, f"\\copy {table} TO '{folder / table}' WITH (FORMAT binary)")
    pids = server_pids(bench.stack)

    async def copy() -> Done:
        async with open_database(copied) as database:
            await database.execute(EMPTY_TABLES)
        commands = [f"\\copy {table} FROM '{folder / table}' WITH (FORMAT binary)" for table in ("auth.users", *TABLES)]
        watch = Watch({"postgres": pids["postgres"]})
        await asyncio.to_thread(psql, copied, *commands)
        usage = watch.stop()
        return Done(end, usage.seconds, usage=usage)

    async def project() -> Done:
        async with open_database(bench.settings) as database:
            await database.execute(EMPTY_TABLES)
            projector = bench.system.start("projector")
            try:
                return await watch_projector(database, end, pids | {"projector": projector.process.pid})
            finally:
                await asyncio.to_thread(projector.stop)

    named = {"postgres": pids["postgres"]}
    await compare(FIGURE, Side("projector", project, named), Side("\\copy", copy, named))


async def watch_projector(database: Connection, end: int, processes: dict[str, int]) -> Done:
    """Measures from the first transaction on: the start of the process and its wait for Kafka's group do not count."""
    done = await until(database, 1)
    watch = Watch(processes)
    await until(database, end)
    usage = watch.stop()
    return Done(end - done, usage.seconds, usage=usage)


async def until(database: Connection, entries: int) -> int:
    """Waits until at least `entries` entries are projected; returns how many are."""
    deadline = time.monotonic() + 600
    while (done := await database.fetchval(CHECKPOINTS)) < entries:
        assert time.monotonic() < deadline, f"only {done} entries are projected"
        await asyncio.sleep(0.005)
    return int(done)


def psql(settings: Settings, *commands: str) -> None:
    program = postgres().root / POSTGRES / "bin" / "psql"
    arguments = [word for command in commands for word in ("-c", command)]
    url = settings.database_url.get_secret_value()
    subprocess.run([program, "-q", "-v", "ON_ERROR_STOP=1", *arguments, url], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
