"""The interface of a transport (HTTP or Kafka), and the loop that sends commands through it until they are decided."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from daybook_client.attempts import Again, Attempts, Verdict
from daybook_client.command import Command
from daybook_client.outcomes import Accepted, Found, Unknown, Visible

ATTEMPT_SECONDS: Final = 8.0
"""More than the 5 s that Daybook waits for an outcome by default, before it answers 202."""

log = logging.getLogger("daybook_client")


class Transport(Protocol):
    queues: int
    """How many attempts of `send_many` may go on at the same time."""
    attempt_seconds: float
    visible: Visible | None
    """The function that `Accepted.visible` calls."""

    async def open(self) -> None:
        """Raises CredentialsRefused or Misuse, but no error if the server cannot be reached."""

    async def close(self) -> None: ...

    async def attempt(self, commands: Sequence[Command], seconds: float) -> list[Verdict]:
        """One verdict for each command, in order, within about `seconds`; after `close`, Again. Daybook decides the
        commands of one org in the order given. Raises Misuse.
        """

    async def until_visible(self, accepted: Accepted, seconds: float) -> None:
        """Returns when the tables show the outcome. Raises TimeoutError, or Misuse if that needs the read API."""


async def send_until_decided(
    transport: Transport, commands: Sequence[Command], deadline: float, is_open: Callable[[], bool]
) -> list[Found]:
    """One outcome for each command, in order, after at most `deadline` seconds. Commands without an outcome are sent
    again, in the same order, until the client is closed. CredentialsRefused stands for the outcomes that it prevented.
    """
    loop = asyncio.get_running_loop()
    attempts = Attempts(loop.time() + deadline, transport.attempt_seconds)
    outcomes: dict[int, Found] = {}
    open_places = list(range(len(commands)))
    while True:
        asked = [commands[place] for place in open_places]
        verdicts = await transport.attempt(asked, attempts.seconds(loop.time()))
        again = list[tuple[int, Again]]()
        for place, verdict in zip(open_places, verdicts, strict=True):
            if isinstance(verdict, Again):
                again.append((place, verdict))
            else:
                outcomes[place] = verdict
        pause = attempts.pause([each for _, each in again], loop.time())
        if not again or pause is None or not is_open():
            outcomes |= {place: Unknown(commands[place], each.reason) for place, each in again}
            return [outcomes[place] for place in range(len(commands))]
        log_attempt(len(again), again[0][1], pause)
        open_places = [place for place, _ in again]
        await asyncio.sleep(pause)


def log_attempt(count: int, again: Again, pause: float) -> None:
    """The fields become attributes of the log record, for structured handlers."""
    fields = {"commands": count, "reason": again.reason, "pause_seconds": round(pause, 3)}
    log.info("commands_sent_again", extra=fields)
