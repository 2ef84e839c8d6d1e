"""The servers of the test session: every test gets its own topics and database."""

from daybook_infra.runtime.kafka.topics import verify_topics
from daybook_infra.runtime.settings import Settings
from support.sql import ask
from support.stack import FreshSettings


async def test_fresh_settings_have_topics_and_tables(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(partitions=3)
    await verify_topics(settings)
    assert await _tables(settings) >= 10


async def test_two_fresh_settings_share_nothing(fresh_settings: FreshSettings) -> None:
    first, second = fresh_settings(init=False), fresh_settings(init=False)
    assert first.topic_prefix != second.topic_prefix
    assert first.database_url != second.database_url
    assert await _tables(first) == 0


async def _tables(settings: Settings) -> int:
    count = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    return int(await ask(settings.database_url.get_secret_value(), count))
