"""`daybook status`: prints the state of partitions, quarantine and versions."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import click

from daybook_infra.operations.server_settings import server_settings

if TYPE_CHECKING:
    from daybook_infra.operations.status_report import SystemStatus


@click.command
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of tables.")
def status(*, as_json: bool) -> None:
    """Show partitions, positions, lag, quarantine and versions.

    Undecided commands wait for a shard; unprojected entries wait for the projector to write them to the tables.
    If a partition's log is not the one that was projected, the partition is stopped, and a line names it.
    Exits with 1 if Kafka or PostgreSQL cannot be reached.
    """
    from daybook_infra.operations.status_report import collect_status

    found = asyncio.run(collect_status(server_settings()))
    if as_json:
        click.echo(json.dumps(_as_json(found), indent=2))
    else:
        _print_tables(found)


def _as_json(found: "SystemStatus") -> dict[str, Any]:
    return {
        "versions": dict(found.versions),
        "partitions": [
            {
                "partition": each.partition,
                "commands_end": each.commands_end,
                "commands_done": each.commands_done,
                "commands_lag": each.commands_lag,
                "log_end": each.log_end,
                "projected_end": each.projected_end,
                "log_lag": each.log_lag,
                "position": each.position,
                "fault": each.fault,
            }
            for each in found.partitions
        ],
        "quarantine": [
            {
                "org_id": each.org_id,
                "position": f"{each.partition}.{each.position}",
                "reason": each.reason,
                "generation": each.generation,
                "quarantined_at": each.quarantined_at.isoformat(),
            }
            for each in found.quarantine
        ],
    }


def _print_tables(found: "SystemStatus") -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    for name, text in found.versions.items():
        console.print(f"{name:<12} {escape(text)}")
    console.print(_partition_table(found))
    for partition in found.partitions:
        if partition.fault is not None:
            what = f"partition {partition.partition}: {partition.fault}"
            console.print(f"[red]the log is not the one that was projected[/red], {escape(what)}", soft_wrap=True)
    if not found.quarantine:
        console.print("no org is in quarantine")
    for each in found.quarantine:
        place = f"{each.partition}.{each.position}"
        console.print(
            f"[red]in quarantine[/red] org {each.org_id} since {place}: {escape(each.reason)}", soft_wrap=True
        )


def _partition_table(found: "SystemStatus") -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_footer=True)
    waiting = sum(each.commands_lag for each in found.partitions), sum(each.log_lag for each in found.partitions)
    table.add_column("partition", "all", justify="right")
    table.add_column("commands", str(sum(each.commands_end for each in found.partitions)), justify="right")
    table.add_column("undecided", str(waiting[0]), justify="right")
    table.add_column("log end", str(sum(each.log_end for each in found.partitions)), justify="right")
    table.add_column("unprojected", str(waiting[1]), justify="right")
    table.add_column("position", justify="right")
    for each in found.partitions:
        position = "-" if each.position < 0 else f"{each.partition}.{each.position}"
        cells = (each.partition, each.commands_end, each.commands_lag, each.log_end, each.log_lag, position)
        table.add_row(*map(str, cells))
    return table
