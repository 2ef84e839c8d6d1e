"""What `session`, `transport` and `reads` do, without asyncio."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

import httpx

from daybook_client.answers import Answer, outcome_path, refusal
from daybook_client.attempts import Again, Verdict
from daybook_client.command import Command
from daybook_client.errors import CredentialsRefused
from daybook_client.http.batches import Batches
from daybook_client.http.credentials import checked_token
from daybook_client.http.reads import Waiting
from daybook_client.http.session import LIMITS, NoAnswer, checked_url, request_headers, require_open
from daybook_client.http.transport import FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS

BlockingToken = str | Callable[[], str]
SHORTEST_SECONDS: Final = 0.001
"""The shortest timeout of a step: with 0, httpx would not wait at all, and it does not accept less."""


class BlockingSession:
    """One pool of connections, which threads may share. The time limit applies to each step of a request, and to
    reading the whole body.
    """

    def __init__(self, url: str, token: BlockingToken | None, tls: ssl.SSLContext | None = None) -> None:
        self._url = checked_url(url)
        self._source = token
        self._token = checked_token(token) if isinstance(token, str) else None
        self._renewing = threading.Lock()
        verify = True if tls is None else tls
        self._client = httpx.Client(timeout=None, limits=LIMITS, verify=verify)  # noqa: S113 - see `_request`

    def ask(self, method: str, path: str, seconds: float, body: bytes | None = None) -> Answer:
        """Raises NoAnswer, or CredentialsRefused if a renewed token is refused too."""
        ends_at = time.monotonic() + seconds
        return self._authorised(lambda token: self._request(method, path, body, token, ends_at))

    def _authorised(self, request: Callable[[str | None], Answer]) -> Answer:
        token = self._current_token()
        answer = request(token)
        refused = refusal(answer)
        if refused is None:
            return answer
        renewed = self._current_token(token)
        if renewed != token:
            answer = request(renewed)
            refused = refusal(answer)
        if refused is not None:
            raise CredentialsRefused(refused)
        return answer

    def _current_token(self, refused: str | None = None) -> str | None:
        if self._source is None or isinstance(self._source, str):
            return self._token
        with self._renewing:
            if self._token is None or self._token == refused:
                self._token = checked_token(self._source())
            return self._token

    def _request(self, method: str, path: str, body: bytes | None, token: str | None, ends_at: float) -> Answer:
        headers, timeout = request_headers(token, body), max(SHORTEST_SECONDS, ends_at - time.monotonic())
        require_open(self._client)
        with (
            _translated(),
            self._client.stream(method, self._url + path, content=body, headers=headers, timeout=timeout) as response,
        ):
            chunks = list[bytes]()
            for chunk in response.iter_bytes():
                chunks.append(chunk)
                if time.monotonic() > ends_at:
                    raise NoAnswer("the answer did not end in time")
            return Answer(response.status_code, response.headers, b"".join(chunks))

    @contextmanager
    def stream(
        self, path: str, headers: Mapping[str, str], seconds: float, silence_seconds: float
    ) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """An answer that goes on: its body comes as chunks if its status is 200. `seconds` limits connecting and
        sending, `silence_seconds` each wait for a part of the answer, its head included. Raises as `ask` does.
        """
        timeout = httpx.Timeout(seconds, read=silence_seconds)
        with _translated(), ExitStack() as opened:
            chunks: Iterator[bytes] = iter(())

            def request(token: str | None) -> Answer:
                nonlocal chunks
                sent = {**request_headers(token, None), **headers}
                response = opened.enter_context(
                    self._client.stream("GET", self._url + path, headers=sent, timeout=timeout)
                )
                if response.status_code == 200:
                    chunks = response.iter_bytes()
                    return Answer(200, response.headers, b"")
                return Answer(response.status_code, response.headers, response.read())

            yield self._authorised(request), chunks

    def close(self) -> None:
        self._client.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (httpx.RequestError, httpx.StreamError) as error:
        raise NoAnswer(f"{type(error).__name__}: {error}") from error


def attempt(session: BlockingSession, commands: Sequence[Command], seconds: float) -> list[Verdict]:
    """One verdict for each command, in order. `Accepted.visible` does not work on them."""
    ends_at, batches = time.monotonic() + seconds, Batches(commands, None)
    while (request := batches.next()) is not None:
        batches.take(_post(session, *request, ends_at - time.monotonic()))
    return batches.verdicts()


def _post(session: BlockingSession, path: str, body: bytes, seconds: float) -> Answer | Again | CredentialsRefused:
    try:
        return session.ask("POST", path, seconds, body)
    except NoAnswer as reason:
        return Again(str(reason))
    except CredentialsRefused as refused:
        return refused


def wait_until_shown(session: BlockingSession, command: Command, seconds: float, attempt_seconds: float) -> None:
    """Asks the command API until it shows the outcome, which it reads from the tables. Raises TimeoutError."""
    ends_at, pause = time.monotonic() + seconds, FIRST_LOOK_SECONDS
    while (left := ends_at - time.monotonic()) > 0:
        try:
            if session.ask("GET", outcome_path(command), min(left, attempt_seconds)).status == 200:
                return
        except NoAnswer:
            pause = LONGEST_LOOK_SECONDS
        time.sleep(min(pause, max(0.0, ends_at - time.monotonic())))
        pause = min(2 * pause, LONGEST_LOOK_SECONDS)
    raise TimeoutError(f"{command.TYPE} {command.id} is not in the tables after {seconds:g} s")


def wait_for_position(session: BlockingSession, position: str, seconds: float) -> None:
    """See `wait_for_position` in `reads`."""
    waiting = Waiting(position, seconds, time.monotonic())
    while True:
        path, limit = waiting.request(time.monotonic())
        try:
            answer = session.ask("GET", path, limit)
        except NoAnswer:
            answer = None
        pause = waiting.pause(answer, time.monotonic())
        if pause is None:
            return
        time.sleep(pause)
