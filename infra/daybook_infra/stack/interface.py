"""What a local stack is to those who use it: where its servers are, and that they can be started, found and stopped."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from daybook_infra.runtime.errors import DaybookError

Say = Callable[[str], None]


class StackError(DaybookError):
    """The local stack cannot be had: one line that says why and what to do."""


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
    """Addresses of what runs; empty where a part does not."""

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
        """Runs what is not running yet and returns it, ready for clients. Raises `StackError`."""
        ...

    def found(self) -> Servers:
        """What runs now. Starts nothing."""
        ...

    def stop(self, parts: frozenset[Part] = ALL_PARTS) -> frozenset[Part]:
        """Ends what runs of these, whoever started it, and returns it."""
        ...

    def explain_end(self, part: Part) -> str:
        """How a part that no longer runs has ended, and the end of its log."""
        ...

    def data(self) -> list[str]:
        """What `delete_data` deletes: paths and Docker volumes. Raises `StackError` where it is not the caller's."""
        ...

    def delete_data(self) -> None:
        """Deletes the data for good. Only while nothing runs, and with the lock `stack` held."""
        ...
