"""Contract suite for a log of several partitions, as shards write and read it."""

from abc import ABC, abstractmethod

from daybook_command.shard.events import Acknowledged, AppendRefused, AppendUnknown
from daybook_command.shard.records import LogRecord


class Log(ABC):
    @abstractmethod
    async def append(
        self, partition: int, *values: bytes, writer: int = 0
    ) -> Acknowledged | AppendUnknown | AppendRefused:
        """Appends as one of two writers of the log: `writer` is 0 or 1."""

    @abstractmethod
    async def read(self, partition: int, start: int, stop: int | None = None) -> list[LogRecord]: ...


class LogContract:
    async def test_an_acknowledgement_has_the_offset_of_the_batch(self, log: Log) -> None:
        assert await log.append(1, b"a", b"b", b"c") == Acknowledged(0)
        assert await log.append(1, b"d", writer=1) == Acknowledged(3)
        assert await log.append(1, b"e") == Acknowledged(4)
        assert await log.append(0, b"f") == Acknowledged(0)

    async def test_records_are_read_between_the_given_offsets(self, log: Log) -> None:
        await log.append(0, *(b"%d" % number for number in range(10)))
        assert await log.read(0, 0) == [LogRecord(number, b"%d" % number) for number in range(10)]
        assert await log.read(0, 3, 5) == [LogRecord(3, b"3"), LogRecord(4, b"4")]
        assert await log.read(0, 10) == await log.read(1, 0) == []
