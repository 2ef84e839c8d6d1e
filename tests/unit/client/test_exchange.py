"""Replies to several requests: the first reply to each counts, and only replies to published requests are awaited."""

import asyncio

from daybook_client.kafka.awaited_replies import AwaitedReplies
from daybook_client.kafka.command_publisher import Fate
from daybook_client.kafka.connection import KafkaConnection
from daybook_client.kafka.replies import Replies
from daybook_client.kafka.requests import Exchange

IDS = ["one", "two", "three"]


def exchange() -> tuple[Replies, Exchange]:
    replies = Replies(KafkaConnection(""), "results", "test", partitions=1)
    return replies, Exchange(replies, IDS)


async def test_the_wait_ends_with_the_last_reply() -> None:
    replies, sent = exchange()
    waiting = asyncio.create_task(sent.wait([Fate.PUBLISHED] * 3, 60))
    for each in ("three", "one"):
        assert replies.resolve(each, each.encode())
        await asyncio.sleep(0)
        assert not waiting.done()
    assert replies.resolve("two", b"two")
    await waiting
    assert sent.replies == [b"one", b"two", b"three"]


async def test_only_the_first_reply_to_a_request_counts() -> None:
    replies, sent = exchange()
    for value in (b"first", b"second", b"third"):
        assert replies.resolve("one", value)
    await sent.wait([Fate.PUBLISHED] * 3, 0)
    assert sent.replies == [b"first", None, None]


async def test_requests_that_were_not_published_are_not_awaited() -> None:
    replies, sent = exchange()
    replies.resolve("two", b"two")
    await asyncio.wait_for(sent.wait([Fate.NOTHING_DONE, Fate.PUBLISHED, Fate.UNKNOWN], 60), 10)
    replies.resolve("three", b"late")
    assert sent.replies == [None, b"two", b"late"]


async def test_no_reply_is_expected_after_the_end() -> None:
    replies, sent = exchange()
    sent.end()
    assert replies.waiting == 0
    assert not replies.resolve("one", b"late")


async def test_a_second_wait_may_be_for_other_replies() -> None:
    registry = Replies(KafkaConnection(""), "results", "test", partitions=1)
    awaited = AwaitedReplies(registry, IDS)
    assert not await awaited.wait([0, 1], 0)
    waiting = asyncio.create_task(awaited.wait([1, 2], 60))
    await asyncio.sleep(0)
    for each in ("one", "three", "two"):
        assert not waiting.done()
        registry.resolve(each, each.encode())
        await asyncio.sleep(0)
    assert await waiting
    assert awaited.values == [b"one", b"two", b"three"]
