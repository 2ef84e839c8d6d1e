"""Sends commands over HTTP: a single command to one path, several as a batch to another."""

import asyncio
from collections.abc import Sequence
from typing import Final

from daybook_client.answers import Answer, outcome_path
from daybook_client.attempts import Again, Verdict
from daybook_client.command import Command
from daybook_client.errors import CredentialsRefused
from daybook_client.http.batches import Batches
from daybook_client.http.session import NoAnswer, Session
from daybook_client.outcomes import Accepted, Visible

FIRST_LOOK_SECONDS: Final = 0.02
LONGEST_LOOK_SECONDS: Final = 0.5


class HttpTransport:
    queues = 32
    visible: Visible | None = None

    def __init__(self, session: Session, attempt_seconds: float) -> None:
        self._session = session
        self.attempt_seconds = attempt_seconds

    async def open(self) -> None:
        """Does nothing: the first request connects."""

    async def close(self) -> None:
        await self._session.close()

    async def attempt(self, commands: Sequence[Command], seconds: float) -> list[Verdict]:
        loop = asyncio.get_running_loop()
        ends_at, batches = loop.time() + seconds, Batches(commands, self.visible)
        while (request := batches.next()) is not None:
            batches.take(await self._ask(*request, max(0.0, ends_at - loop.time())))
        return batches.verdicts()

    async def _ask(self, path: str, body: bytes, seconds: float) -> Answer | Again | CredentialsRefused:
        try:
            return await self._session.ask("POST", path, seconds, body)
        except NoAnswer as reason:
            return Again(str(reason))
        except CredentialsRefused as refused:
            return refused

    async def until_visible(self, accepted: Accepted, seconds: float) -> None:
        """Asks the command API until it shows the outcome, which it reads from the tables. Raises TimeoutError."""
        path, pause = outcome_path(accepted.command), FIRST_LOOK_SECONDS
        async with asyncio.timeout(seconds):
            while True:
                try:
                    if (await self._session.ask("GET", path, self.attempt_seconds)).status == 200:
                        return
                except NoAnswer:
                    pause = LONGEST_LOOK_SECONDS
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_LOOK_SECONDS)
