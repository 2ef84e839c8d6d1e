"""Bodies that are written to be slow are parsed at most once, in small steps, and not at all if they hold too much."""

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


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Counter[bytes]:
    """How often a parser was given each text; of strings that are read by themselves only long ones count."""
    seen: Counter[bytes] = Counter()

    def noted(parse: Callable[..., Any]) -> Callable[..., Any]:
        def noting(text: bytes | str, *args: Any, **options: Any) -> Any:
            raw = text.encode() if isinstance(text, str) else bytes(text)
            if len(raw) > 100:
                seen[raw] += 1
            return parse(text, *args, **options)

        return noting

    for module in (json, orjson):
        monkeypatch.setattr(module, "loads", noted(module.loads))
    monkeypatch.setattr(msgspec.json, "decode", noted(msgspec.json.decode))
    return seen


def refusal_of(work: Callable[[], object]) -> str:
    """Why a body is refused; empty where it is not."""
    try:
        work()
    except InvalidCommand as refusal:
        return refusal.detail
    return ""


def test_the_parsers_are_watched(parsed: Counter[bytes]) -> None:
    body = valid_envelope(ENVELOPE_BYTES)
    assert parse_command(body).type == "CREATE_CONNECTION"
    assert parsed == {body: 1}


@pytest.mark.parametrize("name", ENVELOPES)
def test_a_hostile_command_is_parsed_once_at_most(parsed: Counter[bytes], name: str) -> None:
    body = ENVELOPES[name]
    assert len(body) <= ENVELOPE_BYTES
    detail = refusal_of(lambda: parse_command(body))
    assert len(detail) < 1000
    assert parsed == ({} if "JSON values" in detail else {body: 1})


@pytest.mark.parametrize("name", ["wide", "wide, then NaN", "deep", "deep, never closed", "quotes", "commas"])
def test_what_has_too_many_values_is_never_parsed(parsed: Counter[bytes], name: str) -> None:
    with pytest.raises(InvalidCommand, match="more than 10,000 JSON values"):
        parse_command(ENVELOPES[name])
    assert not parsed


@pytest.mark.parametrize("name", BATCHES)
def test_no_item_of_a_hostile_batch_is_parsed_twice_and_the_body_never(parsed: Counter[bytes], name: str) -> None:
    body = BATCHES[name]
    assert len(body) <= BATCH_BYTES
    items: list[object] = []
    assert len(refusal_of(lambda: items.extend(parse_batch(body)))) < 1000
    assert body not in parsed
    assert sum(parsed.values()) <= len(items)


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_is_split_in_small_steps(name: str) -> None:
    steps = 1
    try:
        for _ in split_batch(BATCHES[name]):
            steps += 1
    except InvalidCommand:
        return
    # A step looks at 64 KiB, or at some thousand brackets.
    assert steps >= len(BATCHES[name]) // (64 * 1024)


def test_a_batch_holds_100000_values_and_no_more() -> None:
    body = b"[" + b",".join([b"[" + b",".join([b"1"] * 9_998) + b"]"] * 10) + b"]"
    assert len(parse_batch(body[:-1] + b",1,1,1,1,1,1,1,1,1]")) == 19
    with pytest.raises(InvalidCommand, match=f"at most {BATCH_VALUES:,} JSON values"):
        parse_batch(body[:-1] + b",1,1,1,1,1,1,1,1,1,1]")


def test_valid_bodies_of_any_size_are_valid() -> None:
    for size in (512, 5_000, 70_000, ENVELOPE_BYTES):
        assert len(valid_envelope(size)) == size
        assert parse_command(valid_envelope(size)).type == "CREATE_CONNECTION"
    for size in (600, 100_000, BATCH_BYTES):
        body = valid_batch(size)
        assert 0.8 * size <= len(body) <= size + 1
        assert not any(isinstance(item, InvalidCommand) for item in parse_batch(body))
