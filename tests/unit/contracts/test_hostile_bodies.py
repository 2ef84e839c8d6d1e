"""Bodies that are meant to be slow to parse: they are split in small steps and parsed at most once, or not at all if
they have too many values.
"""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import pytest

from daybook_contracts.commands.batch import parse_batch, split_batch
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.limits import BATCH_BYTES, BATCH_VALUES, ENVELOPE_BYTES
from support.hostile_bodies import batches, envelopes, valid_batch, valid_envelope

ENVELOPES = dict(envelopes())
BATCHES = dict(batches())
TOO_MANY_VALUES = "at most 100,000 JSON values"
REFUSED_BATCHES = {
    "15 wide items with NaN": TOO_MANY_VALUES,
    "90,000 tiny items": "1 to 1000 commands",
    "2,000,000 tiny items": TOO_MANY_VALUES,
    "deep": TOO_MANY_VALUES,
    "quotes": TOO_MANY_VALUES,
    "commas": TOO_MANY_VALUES,
    "never closed": "a batch is a JSON array",
}
"""Batches that are refused whole, each with a part of the reason."""


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Counter[bytes]:
    """How often each text was parsed. Texts of up to 100 bytes are not counted, because keys may be decoded again."""
    counts: Counter[bytes] = Counter()

    def counted(parse: Callable[..., Any]) -> Callable[..., Any]:
        def counting(text: bytes | str, *args: Any, **options: Any) -> Any:
            raw = text.encode() if isinstance(text, str) else bytes(text)
            if len(raw) > 100:
                counts[raw] += 1
            return parse(text, *args, **options)

        return counting

    for module in (json, orjson):
        monkeypatch.setattr(module, "loads", counted(module.loads))
    monkeypatch.setattr(msgspec.json, "decode", counted(msgspec.json.decode))
    return counts


def refusal_of(work: Callable[[], object]) -> str:
    """The reason why a body is refused; an empty text if it is accepted."""
    try:
        work()
    except InvalidCommand as refusal:
        return refusal.detail
    return ""


def test_the_fixture_counts_parses(parsed: Counter[bytes]) -> None:
    body = valid_envelope(ENVELOPE_BYTES)
    assert parse_command(body).type == "CREATE_CONNECTION"
    assert parsed == {body: 1}


@pytest.mark.parametrize("name", ENVELOPES)
def test_a_hostile_command_is_parsed_at_most_once(parsed: Counter[bytes], name: str) -> None:
    body = ENVELOPES[name]
    assert len(body) <= ENVELOPE_BYTES
    detail = refusal_of(lambda: parse_command(body))
    assert len(detail) < 1000
    assert parsed == ({} if "JSON values" in detail else {body: 1})


@pytest.mark.parametrize("name", ["wide", "wide, then NaN", "deep", "deep, never closed", "quotes", "commas"])
def test_a_command_with_too_many_values_is_never_parsed(parsed: Counter[bytes], name: str) -> None:
    with pytest.raises(InvalidCommand, match="more than 10,000 JSON values"):
        parse_command(ENVELOPES[name])
    assert not parsed


@pytest.mark.parametrize("name", BATCHES)
def test_items_of_a_hostile_batch_are_parsed_at_most_once_and_the_body_never(parsed: Counter[bytes], name: str) -> None:
    body = BATCHES[name]
    assert len(body) <= BATCH_BYTES
    items: list[object] = []
    assert len(refusal_of(lambda: items.extend(parse_batch(body)))) < 1000
    assert body not in parsed
    assert sum(parsed.values()) <= len(items)


@pytest.mark.parametrize("name", REFUSED_BATCHES)
def test_a_batch_with_too_many_values_or_items_or_without_an_end_is_refused(name: str) -> None:
    with pytest.raises(InvalidCommand, match=REFUSED_BATCHES[name]):
        parse_batch(BATCHES[name])


@pytest.mark.parametrize("name", [name for name in BATCHES if name not in REFUSED_BATCHES])
def test_a_batch_is_split_in_small_steps(name: str) -> None:
    steps = 1 + sum(1 for _ in split_batch(BATCHES[name]))
    # A step covers 64 KiB, or a few thousand brackets.
    assert steps >= len(BATCHES[name]) // (64 * 1024)


def test_a_batch_may_have_100000_values_and_no_more() -> None:
    body = b"[" + b",".join([b"[" + b",".join([b"1"] * 9_998) + b"]"] * 10) + b"]"
    assert len(parse_batch(body[:-1] + b",1,1,1,1,1,1,1,1,1]")) == 19
    with pytest.raises(InvalidCommand, match=f"at most {BATCH_VALUES:,} JSON values"):
        parse_batch(body[:-1] + b",1,1,1,1,1,1,1,1,1,1]")


def test_the_generated_valid_bodies_are_valid_at_any_size() -> None:
    for size in (512, 5_000, 70_000, ENVELOPE_BYTES):
        assert len(valid_envelope(size)) == size
        assert parse_command(valid_envelope(size)).type == "CREATE_CONNECTION"
    for size in (600, 100_000, BATCH_BYTES):
        body = valid_batch(size)
        assert 0.8 * size <= len(body) <= size + 1
        assert not any(isinstance(item, InvalidCommand) for item in parse_batch(body))
