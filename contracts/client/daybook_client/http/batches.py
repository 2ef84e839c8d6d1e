"""Sends commands in few requests: commands in, requests out; their answers in, verdicts out. No I/O."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from daybook_client.answers import BATCH, SINGLE, Answer, batch_verdicts, verdict
from daybook_client.attempts import Again, Verdict
from daybook_client.command import Command
from daybook_client.errors import CredentialsRefused
from daybook_client.outcomes import Visible
from daybook_contracts.limits import BATCH_BYTES, BATCH_ITEMS, BATCH_VALUES

NOT_SENT: Final = Again("not sent yet: an earlier command has no outcome")

Written = tuple[Command, bytes]


class Batches:
    """The requests of one attempt. Send what `next` returns, and give the answer to `take`, until `next` returns None.

    If Daybook refuses a whole batch, its two halves follow.
    """

    def __init__(self, commands: Sequence[Command], visible: Visible | None) -> None:
        """Raises Misuse if a command has no form in JSON."""
        self._count = len(commands)
        self._visible = visible
        self._waiting = deque(split([(command, command.to_json()) for command in commands]))
        self._verdicts = list[Verdict]()
        self._rest: Verdict = NOT_SENT

    def next(self) -> tuple[str, bytes] | None:
        """The path and the body of the next request."""
        if not self._waiting:
            return None
        bodies = [body for _, body in self._waiting[0]]
        return (SINGLE, bodies[0]) if len(bodies) == 1 else (BATCH, b"[" + b",".join(bodies) + b"]")

    def take(self, answer: Answer | Again | CredentialsRefused) -> None:
        """`answer`: to the last request; Again if there was none. A refusal is the verdict of all further commands."""
        if isinstance(answer, CredentialsRefused):
            self._waiting.clear()
            self._rest = answer
            return
        part = self._waiting.popleft()
        found = self._read([command for command, _ in part], answer)
        if found is None:
            middle = len(part) // 2
            self._waiting.extendleft((part[middle:], part[:middle]))
            return
        self._verdicts += found
        if any(isinstance(each, Again) for each in found):
            self._waiting.clear()  # to keep the order, commands after one without an outcome are not sent yet

    def verdicts(self) -> list[Verdict]:
        """One for each command, in order."""
        return [*self._verdicts, *[self._rest] * (self._count - len(self._verdicts))]

    def _read(self, commands: Sequence[Command], answer: Answer | Again) -> list[Verdict] | None:
        if isinstance(answer, Again):
            return [answer for _ in commands]
        if len(commands) == 1:
            return [verdict(commands[0], answer, self._visible)]
        return batch_verdicts(commands, answer, self._visible)


def split(written: Sequence[Written]) -> Iterator[Sequence[Written]]:
    """Splits the commands into parts that each fit into one batch."""
    part, size, values = list[Written](), 2, 1
    for each in written:
        more_size, more_values = len(each[1]) + 1, most_values(each[1])
        if part and (len(part) == BATCH_ITEMS or size + more_size > BATCH_BYTES or values + more_values > BATCH_VALUES):
            yield part
            part, size, values = [], 2, 1
        part.append(each)
        size += more_size
        values += more_values
    if part:
        yield part


def most_values(body: bytes) -> int:
    """An upper bound for the number of values in a JSON text: every value except the first follows a comma or an
    opening bracket. Marks in strings are counted too, because an exact count would take longer.
    """
    return 1 + body.count(b",") + body.count(b"[") + body.count(b"{")
