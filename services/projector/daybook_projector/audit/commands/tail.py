"""`daybook audit tail`: prints the log's entries as they are appended."""

import asyncio
import re
import signal
import sys
from collections.abc import Iterable, Mapping
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING
from uuid import UUID

import click

from daybook_contracts.log.continuity import LogChanged
from daybook_contracts.routing import partition_of
from daybook_infra.operations.server_settings import server_settings
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.commands.output import Output

if TYPE_CHECKING:
    from daybook_contracts.log.admission import Admitted
    from daybook_projector.audit.exports.tail_line import ShowLine

_POSITION = re.compile(r"(\d{1,9})\.(-1|\d{1,15})", re.ASCII)


def _positions(_ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> dict[int, int]:
    """The position given for each partition."""
    found: dict[int, int] = {}
    for text in given:
        position = _POSITION.fullmatch(text)
        if position is None:
            raise click.BadParameter(f"{text!r} is not PARTITION.POSITION, such as 3.1042")
        partition = int(position[1])
        if partition in found:
            raise click.BadParameter(f"{text}: partition {partition} has a position already, {found[partition]}")
        found[partition] = int(position[2])
    return found


@click.command
@click.option("--org", type=click.UUID, metavar="ID", help="Only the entries of this org.")
@click.option(
    "--after",
    "positions",
    multiple=True,
    callback=_positions,
    metavar="POSITION",
    help="Begin after this position, such as 3.1042; 3.-1 means from the beginning. Repeatable, once per partition.",
)
@click.option("--json", "as_json", is_flag=True, help="Print each entry as in the log: one line of canonical JSON.")
def tail(org: UUID | None, positions: dict[int, int], *, as_json: bool) -> None:
    """Print the entries of the log as they are appended, one line each.

    Begins with the next entry, or after the position that --after gives for a partition. Shows only entries that belong
    to the log, never void records. Within a partition, entries come in order.

    Needs Kafka to begin; if Kafka goes away later, the command waits for it. If PostgreSQL can be reached too, the
    command begins at once; if not, it first reads the whole log.

    Ends on Ctrl-C or SIGTERM, or when the reader of its output has gone. It then prints on standard error how to
    continue from there, and exits with 0. It exits with 1 if Kafka cannot be reached at the start, or if the log is not
    the one that was projected.
    """
    settings = server_settings()
    partitions = _partitions(settings, org)
    for partition in positions:
        if partition not in partitions:
            where = f"that of org {org}" if org else f"one of the log's {settings.partitions}"
            raise click.UsageError(f"--after: partition {partition} is not {where}")
    from daybook_projector.audit.exports.tail_line import show_json, show_json_on_terminal, show_text

    show_as_json = show_json_on_terminal if sys.stdout.isatty() else show_json
    session = _Session(settings, partitions, None if org is None else str(org), show_as_json if as_json else show_text)
    with suppress(BrokenPipeError):
        asyncio.run(session.run_until_signal(positions))
    session.say_where_to_go_on()


def _partitions(settings: Settings, org: UUID | None) -> Iterable[int]:
    return range(settings.partitions) if org is None else [partition_of(str(org), settings.partitions)]


class _Session:
    """`_shown`: for each partition, the position up to which everything was printed."""

    def __init__(self, settings: Settings, partitions: Iterable[int], org_id: str | None, show: "ShowLine") -> None:
        self._settings = settings
        self._partitions = partitions
        self._org_id = org_id
        self._show = show
        self._shown: dict[int, int] = {}
        self._is_away = False
        self._output = Output(sys.stdout.fileno())

    async def run_until_signal(self, positions: Mapping[int, int]) -> None:
        """Raises BrokenPipeError if the reader of the output has gone, and `DaybookError` if the log cannot be
        followed.
        """
        following = asyncio.ensure_future(self._follow(positions))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, following.cancel)
        try:
            await following
        except asyncio.CancelledError:
            pass
        except LogChanged as changed:
            raise DaybookError(f"{changed}; run `daybook audit verify`") from changed

    async def _follow(self, positions: Mapping[int, int]) -> None:
        from daybook_projector.audit.exports.tail import follow
        from daybook_projector.audit.exports.tail_starts import find_places

        places = await find_places(self._settings, self._partitions, positions, _say)
        self._shown = {partition: max(place.head.position, place.shown_position) for partition, place in places.items()}
        async with aclosing(follow(self._settings, places, self._note_outage)) as pages:
            async for page in pages:
                for partition, entries in page.items():
                    await self._print(entries)
                    # A signal cancels only at an `await`, so it cannot come between these two lines.
                    self._shown[partition] = max(places[partition].head.position, places[partition].shown_position)
                self._note_return(page)
                self._output.check_reader()

    def say_where_to_go_on(self) -> None:
        options = " ".join(f"--after {partition}.{position}" for partition, position in sorted(self._shown.items()))
        if options:
            _say(f"to go on from here: {options}")

    async def _print(self, entries: "Iterable[Admitted]") -> None:
        await self._output.write(b"".join(self._show(entry) for entry in entries if self._is_wanted(entry)))

    def _is_wanted(self, entry: "Admitted") -> bool:
        from daybook_projector.audit.exports.entry_filter import EntryFilter

        return self._org_id is None or EntryFilter(org_id=self._org_id).meets(entry.value)

    def _note_outage(self, away: Exception) -> None:
        if not self._is_away:
            _say(f"{away}; waiting for it")
        self._is_away = True

    def _note_return(self, page: "Mapping[int, object]") -> None:
        if page and self._is_away:
            self._is_away = False
            _say("Kafka is back")


def _say(line: str) -> None:
    with suppress(OSError):
        click.echo(line, err=True)
