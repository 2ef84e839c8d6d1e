"""Sends commands over HTTP: a single command to one path, several as a batch to another."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from daybook_client.answers import BATCH, SINGLE, Answer, batch_verdicts, outcome_path, verdict
from daybook_client.attempts import Again, Verdict
from daybook_client.command import Command
from daybook_client.http.session import NoAnswer, Session
from daybook_client.outcomes import Accepted, Visible
from daybook_contracts.limits import BATCH_BYTES, BATCH_ITEMS

FIRST_LOOK_SECONDS: Final = 0.02
LONGEST_LOOK_SECONDS: Final = 0.5
NOT_SENT: Final = Again("not sent yet: an earlier command has no outcome")

Written = tuple[Command, bytes]


class HttpTransport:
    lanes = 32
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
        ends_at, verdicts = loop.time() + seconds, list[Verdict]()
        for part in split([(command, command.to_json()) for command in commands]):
            # To keep the order, commands after one without an outcome are not sent yet.
            if not any(isinstance(each, Again) for each in verdicts):
                verdicts += await self._send(part, ends_at - loop.time())
        return [*verdicts, *[NOT_SENT] * (len(commands) - len(verdicts))]

    async def _send(self, part: Sequence[Written], seconds: float) -> list[Verdict]:
        if len(part) > 1:
            answer = await self._ask(BATCH, b"[" + b",".join(body for _, body in part) + b"]", seconds)
            if isinstance(answer, Again):
                return [answer for _ in part]
            verdicts = batch_verdicts([command for command, _ in part], answer, self.visible)
            if verdicts is not None:
                return verdicts
        command, body = part[0]  # the other commands of a refused batch follow one by one
        alone = await self._ask(SINGLE, body, seconds)
        return [alone if isinstance(alone, Again) else verdict(command, alone, self.visible)]

    async def _ask(self, path: str, body: bytes, seconds: float) -> Answer | Again:
        try:
            return await self._session.ask("POST", path, seconds, body)
        except NoAnswer as reason:
            return Again(str(reason))

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


def split(written: Sequence[Written]) -> Iterator[Sequence[Written]]:
    """Splits the commands into parts that each fit into one batch."""
    part, size = list[Written](), 2
    for each in written:
        if part and (len(part) == BATCH_ITEMS or size + len(each[1]) + 1 > BATCH_BYTES):
            yield part
            part, size = [], 2
        part.append(each)
        size += len(each[1]) + 1
    if part:
        yield part
