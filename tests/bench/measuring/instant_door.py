"""The HTTP door alone: everything behind it answers at once. Run as a program, it serves until SIGTERM, on the
port given as its argument and with the settings in its environment.
"""

import asyncio
import sys
from collections.abc import Collection, Sequence

import uvloop
from prometheus_client import CollectorRegistry

from daybook_client.kafka.replies import Replies
from daybook_command.shard.intake import SentCommand
from daybook_contracts.results import Accepted, EntryRef, encode_record
from daybook_infra.runtime.http.serving import serve
from daybook_infra.runtime.http.sites import sites
from daybook_infra.runtime.settings import load_settings
from support.door_doubles import DoorAlone


class Everyone(set[str]):
    def __contains__(self, _: object) -> bool:
        return True


class InstantShards:
    """Accepts every command, in the next iteration of the event loop."""

    replies: Replies

    def takes_local(self, _: int) -> bool:
        return True

    def decided_to(self, _: int) -> int | None:
        return None

    def has_room(self, _: int, __: str, ___: int, ____: int) -> bool:
        return True

    async def wait_for_room(self) -> None:
        pass

    def queue_local(self, _: int, commands: Sequence[SentCommand]) -> None:
        asyncio.get_running_loop().call_soon(self._answer, commands)

    def withdraw(self, _: int, tickets: Collection[bytes]) -> Collection[bytes]:
        return tickets

    def _answer(self, commands: Sequence[SentCommand]) -> None:
        for each in commands:
            command = each.command
            entry = EntryRef(command.id, command.type, "org", command.key)
            ticket = (each.reply_to.correlation_id or b"").decode()
            self.replies.resolve(ticket, encode_record(Accepted(command.id, (entry,), "0.0")))


async def run(port: int) -> None:
    shards, settings = InstantShards(), load_settings()
    door = DoorAlone(shards=shards, **settings.model_dump(exclude_defaults=True))
    shards.replies, door.users.known = door.replies, Everyone()
    address = "127.0.0.1", port
    await serve(sites(door.app, address, settings, door.health, CollectorRegistry()), asyncio.Event())


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(int(sys.argv[1])))
