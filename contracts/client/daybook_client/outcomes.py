"""The outcomes of a command: accepted, rejected, or unknown."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from daybook_client.command import Command
from daybook_client.errors import CredentialsRefused, Misuse
from daybook_contracts.results import EntryRef

Visible = Callable[["Accepted", float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The command is in the log and will stay there. `position` is the place of its last entry, such as `3.1042`."""

    command: Command
    position: str
    entries: tuple[EntryRef, ...]
    _visible: Visible | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.command.TYPE} {self.command.id}: accepted at {self.position}"

    async def visible(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109 - the server waits, so it must know
        """Returns when the tables show what the command changed. Raises TimeoutError after `timeout` seconds: the
        command is still accepted, and becomes visible later.
        """
        if self._visible is None:
            raise Misuse("this outcome did not come from a connected Daybook")
        await self._visible(self, timeout)


@dataclass(frozen=True, slots=True)
class Rejected:
    """The command had no effect. `code` is a `Code`, or text if this version of the client does not know it.

    If the rejection is in the log, `position` and `entry_id` are set, and sending the command again gives the same
    answer. Otherwise correct the cause, and send the command again with the same id.
    """

    command: Command
    code: str
    detail: str
    status: int
    position: str | None = None
    entry_id: str | None = None

    def __str__(self) -> str:
        return f"{self.command.TYPE} {self.command.id}: {self.code}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Unknown:
    """The deadline passed, and the command may have been decided, or may be decided later. Or `send_many` held the
    command back, because an earlier one of its org is unknown: then `reason` begins with `not sent`. Otherwise `reason`
    says what happened last.

    Send the same object, `command`, again: an id is never applied twice, so you get the outcome of the first time. Send
    several again in their order.
    """

    command: Command
    reason: str

    def __str__(self) -> str:
        return f"{self.command.TYPE} {self.command.id}: unknown: {self.reason}"


Outcome = Accepted | Rejected | Unknown
Found = Outcome | CredentialsRefused
"""What came of a command: its outcome, or the error to raise in its place."""
