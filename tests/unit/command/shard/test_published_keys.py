"""What the door remembers of the keys whose commands were published."""

from daybook_command.shard.short_way import KEYS_KEPT, ShortWay
from support.held_shards import HeldShards


def publish(short_way: ShortWay, number: int) -> None:
    short_way.begin_publishing([f"{number}"])
    short_way.end_publishing(0, f"{number}", [number])


def test_decided_keys_are_forgotten() -> None:
    shards = HeldShards(decided=0)
    short_way = ShortWay(shards)
    for number in range(KEYS_KEPT):
        publish(short_way, number)
    shards.decided = KEYS_KEPT
    publish(short_way, KEYS_KEPT)
    assert list(short_way.published_to[0]) == [f"{KEYS_KEPT}"]


def test_undecided_keys_are_looked_at_only_when_their_number_has_doubled() -> None:
    short_way = ShortWay(HeldShards(decided=0))
    walks = 0
    for number in range(8 * KEYS_KEPT):
        before = short_way.published_to[0]
        publish(short_way, number)
        walks += short_way.published_to[0] is not before
    assert len(short_way.published_to[0]) == 8 * KEYS_KEPT
    assert walks == 3
