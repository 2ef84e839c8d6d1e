"""Waits until a position is in the tables, by asking the read API."""

import asyncio
from typing import Final

from daybook_client.answers import retry_after
from daybook_client.errors import Misuse
from daybook_client.http.session import NoAnswer, Session

LONGEST_WAIT_SECONDS: Final = 10
"""How long one request asks the server to wait."""
SPARE_SECONDS: Final = 2.0
"""How much longer than that the answer may take."""
PAUSE_SECONDS: Final = 0.2


async def wait_for_position(session: Session, position: str, seconds: float) -> None:
    """Raises TimeoutError, or Misuse if the server knows no such position or has no read API."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + seconds
    while True:
        left = ends_at - loop.time()
        wait = max(0, min(LONGEST_WAIT_SECONDS, int(left)))
        try:
            answer = await session.ask("GET", f"/v1/positions/{position}?wait={wait}", wait + SPARE_SECONDS)
        except NoAnswer:
            pause = PAUSE_SECONDS
        else:
            if answer.status in {200, 204}:
                return
            if answer.status in {400, 404, 422}:
                raise Misuse(f"the read API does not know the position {position!r}: HTTP {answer.status}")
            pause = retry_after(answer.headers) or (0.0 if answer.status == 504 and wait else PAUSE_SECONDS)
        if loop.time() + pause >= ends_at:
            raise TimeoutError(f"{position} is not in the tables after {seconds:g} s")
        await asyncio.sleep(pause)
