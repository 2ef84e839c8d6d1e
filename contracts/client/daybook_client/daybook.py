"""`Daybook`: the one object that programs use. It sends commands and waits until the tables show them."""

import ssl
from collections.abc import AsyncGenerator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from daybook_client.command import Command
from daybook_client.defaults import given, optional
from daybook_client.errors import Misuse
from daybook_client.lanes import Commands, send_in_lanes
from daybook_client.outcomes import Accepted, Outcome
from daybook_client.transport import ATTEMPT_SECONDS, Transport, send_until_decided

if TYPE_CHECKING:
    from daybook_client.http.credentials import Token

DEADLINE_SECONDS = 30.0
IN_FLIGHT = 2_000


class Daybook:
    """Connects to Daybook: `async with Daybook.over_http(...) as daybook`. Programs keep one for their whole life.

    Outages are not errors: whatever fails is tried again until the deadline, under the same id.
    """

    def __init__(self, transport: Transport) -> None:
        """Use `over_http` or `over_kafka`."""
        self._transport = transport
        transport.visible = self._until_visible
        self._open = False

    @classmethod
    def over_http(
        cls,
        url: str | None = None,
        *,
        token: "Token | None" = None,
        attempt_seconds: float = ATTEMPT_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> Self:
        """`url`: the command API's, by default DAYBOOK_URL. `token`: a text, or an async function that returns a new
        one whenever Daybook refuses the last; by default DAYBOOK_TOKEN. `attempt_seconds` limits one request; retries
        go on until the deadline of each call. `tls`: how to check the server; by default with the system's
        authorities.
        """
        from daybook_client.http.credentials import Credentials  # noqa: PLC0415 - httpx is optional, and slow to import
        from daybook_client.http.session import Session  # noqa: PLC0415
        from daybook_client.http.transport import HttpTransport  # noqa: PLC0415

        credentials = Credentials(token if callable(token) else optional(token, "DAYBOOK_TOKEN"))
        session = Session(given(url, "DAYBOOK_URL"), credentials, tls)
        return cls(HttpTransport(session, attempt_seconds))

    async def send(self, command: Command, *, deadline: float = DEADLINE_SECONDS) -> Outcome:
        """The command's outcome; `Unknown` if there is none after `deadline` seconds. Raises CredentialsRefused."""
        (outcome,) = await self._send([command], deadline)
        return outcome

    def send_many(
        self, commands: Commands, *, deadline: float = DEADLINE_SECONDS, in_flight: int = IN_FLIGHT
    ) -> AsyncGenerator[Outcome]:
        """The outcomes of a stream of commands, in their order: `async for outcome in daybook.send_many(commands)`.

        Commands of one org are decided in their order. `deadline`: seconds for each command, from when it is sent. If
        a command's outcome stays unknown, the later ones of its org are not sent, and are `Unknown` too. `in_flight`:
        how many commands are taken before their outcomes are. Raises CredentialsRefused, and what `commands` raises.
        """
        return send_in_lanes(lambda several: self._send(several, deadline), commands, in_flight)

    async def _send(self, commands: Sequence[Command], deadline: float) -> list[Outcome]:
        self._require_open()
        return await send_until_decided(self._transport, commands, deadline)

    async def _until_visible(self, accepted: Accepted, seconds: float) -> None:
        self._require_open()
        await self._transport.until_visible(accepted, seconds)

    def _require_open(self) -> None:
        if not self._open:
            raise Misuse("not connected: use `async with`, or call `open` first and `close` at the end")

    async def open(self) -> None:
        """Raises CredentialsRefused or Misuse."""
        await self._transport.open()
        self._open = True

    async def close(self) -> None:
        """Ends the connections. The outcomes of commands that are still being sent stay unknown."""
        self._open = False
        await self._transport.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
