"""Asks the read API until a position is in the tables."""

import asyncio
from dataclasses import dataclass
from typing import Final

from daybook_client.answers import Answer, retry_after
from daybook_client.errors import Misuse
from daybook_client.http.session import NoAnswer, Session

LONGEST_WAIT_SECONDS: Final = 10
"""How long one request asks the server to wait."""
SPARE_SECONDS: Final = 2.0
"""How much longer than the server's wait the answer may take."""
GRACE_SECONDS: Final = 0.5
"""How long after the end of the whole wait the answer may come. A wait of 0 s needs time to connect."""
PAUSE_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Waiting:
    """The requests of one wait: the time in, the next request out; its answer in, a pause or the end out."""

    position: str
    seconds: float
    began_at: float

    def request(self, now: float) -> tuple[str, float]:
        """The path of the next request, and how long its answer may take."""
        left = max(0.0, self.began_at + self.seconds - now)
        wait = int(min(LONGEST_WAIT_SECONDS, left))
        return f"/v1/positions/{self.position}?wait={wait}", min(wait + SPARE_SECONDS, left + GRACE_SECONDS)

    def pause(self, answer: Answer | None, now: float) -> float | None:
        """Seconds until the next request; None if the position is in the tables. `answer`: None if none came. Raises
        TimeoutError, or Misuse if the log cannot have this position or the server has no read API.
        """
        if answer is not None and answer.status in {200, 204}:
            return None
        if answer is not None and answer.status in {400, 404, 422}:
            raise Misuse(f"the read API does not know the position {self.position!r}: HTTP {answer.status}")
        asked = None if answer is None else retry_after(answer.headers)
        pause = PAUSE_SECONDS if asked is None else asked
        if now + pause >= self.began_at + self.seconds:
            raise TimeoutError(f"{self.position} is not in the tables after {self.seconds:g} s")
        return pause


async def wait_for_position(session: Session, position: str, seconds: float) -> None:
    """Raises TimeoutError, or Misuse if the log cannot have this position or the server has no read API."""
    loop = asyncio.get_running_loop()
    waiting = Waiting(position, seconds, loop.time())
    while True:
        path, limit = waiting.request(loop.time())
        try:
            answer = await session.ask("GET", path, limit)
        except NoAnswer:
            answer = None
        pause = waiting.pause(answer, loop.time())
        if pause is None:
            return
        await asyncio.sleep(pause)
