"""How the client parses server-sent events, and the positions after which it follows a log."""

import pytest

from daybook_client import Misuse
from daybook_client.http import events
from daybook_client.http.events import Event, EventParser, EventTooLong
from daybook_client.positions import BEGINNING, After, Starts, checkpoint_text, parse_starts

STREAM = b'id: 4.3\n\nid: 4.4\ndata: {"a":1}\n\n:\n\n: stopping\n\nretry: 3\r\nid:4.5\r\ndata: x\r\ndata:  y\r\n\r\n'
EVENTS = [Event("4.3", None), Event("4.4", b'{"a":1}'), Event("4.5", b"x\n y")]


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(STREAM)])
def test_events_are_the_same_however_the_stream_is_cut_into_chunks(size: int) -> None:
    parser = EventParser()
    assert [e for at in range(0, len(STREAM), size) for e in parser.feed(STREAM[at : at + size])] == EVENTS


def test_an_event_without_its_empty_line_is_incomplete() -> None:
    parser = EventParser()
    assert parser.feed(b"id: 4.6\ndata: {}\n") == []
    assert parser.feed(b"\n") == [Event("4.6", b"{}")]


@pytest.mark.parametrize("line", [b"data: 12345678", b"data: 1234\ndata: 5678\n"])
def test_the_memory_for_an_event_is_bounded(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_EVENT_BYTES", 7)
    with pytest.raises(EventTooLong):
        EventParser().feed(line)


def test_the_bound_applies_to_each_event_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_EVENT_BYTES", 7)
    assert len(EventParser().feed(b"data: 1234\n\n" * 5)) == 5


def test_positions_are_given_by_partition() -> None:
    assert parse_starts(None) == Starts({}, None)
    assert parse_starts("3.7") == Starts({3: After(7)}, None)
    checkpoint = checkpoint_text("2.5", 9, "ab" * 32)
    starts = parse_starts(["3.7", "0.-1", checkpoint, "start"])
    assert starts == Starts({3: After(7), 0: BEGINNING, 2: After(5, 9, "ab" * 32)}, BEGINNING)
    assert (starts.of(2), starts.of(4)) == (After(5, 9, "ab" * 32), BEGINNING)
    assert parse_starts("3.7").of(4) is None


@pytest.mark.parametrize(
    "after",
    ["3", "3.-2", "x.1", ["3.1", "3.2"], "3.1 ", "3.1:2", "3.-1:0:" + "a" * 64, "3.1:2:" + "A" * 64, "begin"],
)
def test_a_malformed_or_repeated_position_is_misuse(after: str | list[str]) -> None:
    with pytest.raises(Misuse, match="after"):
        parse_starts(after)
