"""Takes partitions over: reads what a shard needs for a takeover, and gives the log to the shard in slices."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from daybook_command.engine.assignment import Assignment, CommandConsumer, retake_pause
from daybook_command.engine.effect_runner import EffectRunner
from daybook_command.engine.report import EngineReport
from daybook_command.engine.tails import Tails
from daybook_command.shard.events import EndsRead, Event, LogOpened, LogRead, TopicRead
from daybook_command.shard.state import WITHOUT_MEMORY, ShardPhase


@dataclass(frozen=True, slots=True)
class Takeovers:
    runner: EffectRunner
    consumer: CommandConsumer
    report: EngineReport
    tails: Tails
    deliver: Callable[[Assignment, Event], None]

    async def take_over(self, assignment: Assignment) -> None:
        """Returns early if the shard stops, or is too far behind."""
        partition, shard = assignment.partition, assignment.shard
        await asyncio.sleep(retake_pause(assignment.retakes))
        takeover = shard.takeovers
        opened = await self.runner.open_log(partition)
        if not assignment.started:
            offset = await self.runner.retry("kafka", lambda: self.consumer.committed(partition))
            assignment.expected_offset = offset
            self.consumer.seek(partition, offset)
            assignment.started = True
        self.deliver(assignment, opened)

        def give(event: LogOpened | LogRead) -> bool:
            if isinstance(event, LogRead):
                event = replace(event, elsewhere=self.tails.elsewhere(partition))
            self.deliver(assignment, event)
            return shard.phase is ShardPhase.TAKING_OVER

        if shard.phase is ShardPhase.TAKING_OVER:
            await self.runner.read_log(partition, opened, give)
        if shard.phase in WITHOUT_MEMORY:
            return
        if shard.held is None:
            self.report.taken_over(assignment)
        # Concurrently, so that this partition can decide even if another partition of the log has no leader.
        await asyncio.gather(self._read_topic_end(assignment, takeover), self._read_log_ends(assignment, takeover))

    async def _read_topic_end(self, assignment: Assignment, takeover: int) -> None:
        end = await self.runner.retry("kafka", lambda: self.consumer.end(assignment.partition))
        self.deliver(assignment, TopicRead(takeover, assignment.expected_offset, end))

    async def _read_log_ends(self, assignment: Assignment, takeover: int) -> None:
        self.deliver(assignment, EndsRead(takeover, await self.runner.read_log_ends()))
