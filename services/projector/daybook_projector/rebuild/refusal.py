"""The reasons why a rebuild stops. It stops before it commits, so it has changed nothing."""

from dataclasses import dataclass

from daybook_infra.runtime.errors import DaybookError
from daybook_projector.partition.entry import PartitionEntry


class RebuildRefused(DaybookError):
    """The message says what is wrong, and that nothing was changed."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; nothing was changed")
        self._reason = reason

    def __reduce__(self) -> tuple[type["RebuildRefused"], tuple[str]]:
        """For pickle: the exception may be raised in another process."""
        return RebuildRefused, (self._reason,)


@dataclass(frozen=True, slots=True, order=True)
class Unappliable:
    """An entry that cannot be applied. Sorts by its place in the log."""

    partition: int
    position: int
    action: str
    reason: str

    def refusal(self) -> RebuildRefused:
        action = f" ({self.action})" if self.action else ""
        return RebuildRefused(f"entry {self.partition}.{self.position}{action} cannot be applied: {self.reason}")


def unappliable(partition: int, entry: PartitionEntry, reason: str) -> Unappliable:
    return Unappliable(partition, entry.head.position, "" if entry.columns is None else entry.columns.action, reason)
