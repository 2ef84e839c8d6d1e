"""What every local stack offers, whether its servers are processes or containers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from daybook_infra.runtime.errors import DaybookError

Say = Callable[[str], None]


class StackError(DaybookError):
    """The local stack does not work. The message says why, and what to do."""


class Part(StrEnum):
    KAFKA = "kafka"
    POSTGRES = "postgres"

    @property
    def label(self) -> str:
        match self:
            case Part.KAFKA:
                return "Kafka"
            case Part.POSTGRES:
                return "PostgreSQL"


ALL_PARTS = frozenset(Part)


def titles(parts: Iterable[Part]) -> str:
    return " and ".join(part.label for part in sorted(parts))


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers' addresses. The address of a server that is not running is empty."""

    kafka_bootstrap: str = ""
    database_url: str = field(default="", repr=False)

    def parts(self) -> frozenset[Part]:
        runs = {Part.KAFKA: self.kafka_bootstrap, Part.POSTGRES: self.database_url}
        return frozenset(part for part, address in runs.items() if address)

    def env(self) -> dict[str, str]:
        named = {"DAYBOOK_KAFKA_BOOTSTRAP": self.kafka_bootstrap, "DAYBOOK_DATABASE_URL": self.database_url}
        return {name: value for name, value in named.items() if value}


class Stack(Protocol):
    def start(self, parts: frozenset[Part] = ALL_PARTS) -> frozenset[Part]:
        """Starts those of `parts` that are not running, waits until they accept clients, and returns them."""
        ...

    def servers(self) -> Servers:
        """The servers that are running."""
        ...

    def stop(self, parts: frozenset[Part] = ALL_PARTS) -> frozenset[Part]:
        """Stops those of `parts` that are running, whoever started them, and returns them."""
        ...

    def explain_end(self, part: Part) -> str:
        """A message about a server that has stopped: how it ended, if that is known, and the end of its log."""
        ...

    def data(self) -> list[str]:
        """The paths and Docker volumes that `delete_data` deletes. Raises `StackError` if they are another user's."""
        ...

    def delete_data(self) -> None:
        """Deletes the data. The caller holds the lock `stack`, and no server runs."""
        ...
