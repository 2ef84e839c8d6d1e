"""Takes in what may arrive in any phase of a shard: commands, overdue runs, and the ends of topics."""

from typing import assert_never

from daybook_command.shard import events
from daybook_command.shard.inbox import Inbox
from daybook_command.shard.local_way import LocalWay
from daybook_command.shard.memory import Memory


def take_in(event: events.Arriving, inbox: Inbox, memory: Memory, way: LocalWay, takeover: int) -> None:
    """`takeover`: the number of the shard's takeover. Ends that were read for an earlier one, perhaps before PostgreSQL
    was lost, are ignored.
    """
    match event:
        case events.CommandsArrived():
            inbox.add(event.records)
        case events.RunsOverdue():
            inbox.add_overdue(event.runs)
        case events.LocalArrived():
            pass  # they are queued already
        case events.EndsRead():
            if event.takeover == takeover:
                memory.awaited = event.ends
        case events.TopicRead():
            if event.takeover == takeover:
                inbox.read_to = max(inbox.read_to, event.position)
                way.topic_end = event.end
        case _:
            assert_never(event)
