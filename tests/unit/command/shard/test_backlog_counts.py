"""A shard's counts of pending dead letters, which stop at a limit instead of counting them all."""

from uuid import UUID

import pytest
from immutables import Map

from daybook_command.domain.activity import Activity
from daybook_command.domain.connections import Connection
from daybook_command.domain.state import Org
from daybook_command.shard.dead_letter_counts import highest_count_floor, needs_recount
from daybook_command.shard.records import CommandRecord
from daybook_contracts.entries.entry import Entry
from support.fair_weather import FairWeather
from support.given import command
from support.simulation import command_record

OWNER, ORG, PROJECT, CONNECTION = (str(UUID(int=number, version=4)) for number in (0x10, 0x20, 0x30, 0x40))
CRITICAL = 100
LETTERS = [str(UUID(int=0x50 + number, version=4)) for number in range(8)]


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (
        "daybook_command.domain.dead_letters_bulk",
        "daybook_command.shard.dead_letter_counts",
        "support.rows_of_orgs",
    ):
        monkeypatch.setattr(f"{place}.BULK_IDS", 3)
    monkeypatch.setattr("daybook_command.shard.dead_letter_counts.COUNTED", 2)


class Sender:
    """Builds commands of a service, or of the owner where only users may send them."""

    def __init__(self) -> None:
        self._sent = 0

    def __call__(self, kind: str, actor: str | None = None, **data: object) -> CommandRecord:
        self._sent += 1
        id_ = str(UUID(int=0x100 + self._sent, version=4))
        envelope: dict[str, object] = {"id": id_, "type": kind, "org_id": ORG, "actor_user_id": actor, "data": data}
        return command_record(self._sent - 1, envelope)

    def connecting(self) -> CommandRecord:
        data = {"project_id": PROJECT, "connection_id": CONNECTION, "type": "sheet", "name": "c", "config": {}}
        return self("CREATE_CONNECTION", OWNER, **data)

    def resolving(self, letter: str) -> CommandRecord:
        return self("RESOLVE_DLQ_EVENT", dlq_event_id=letter, resolution="manual")


@pytest.fixture
def send() -> Sender:
    return Sender()


@pytest.fixture
def world(send: Sender) -> FairWeather:
    """A connection with eight pending dead letters, all projected to the tables."""
    made = FairWeather(frozenset({OWNER}))
    made.take(
        send("CREATE_ORG", OWNER, name="x"),
        send("CREATE_PROJECT", OWNER, name="p", project_id=PROJECT),
        send.connecting(),
        *(send("RECORD_DLQ_EVENT", connection_id=CONNECTION, dlq_event_id=id_, payload=1) for id_ in LETTERS),
    )
    made.project()
    made.replace_first()
    return made


def actions(entries: list[Entry]) -> list[str]:
    assert {entry.result for entry in entries} == {"success"}
    return [entry.action for entry in entries]


def test_only_the_last_dead_letter_resolves_the_backlog_alert(world: FairWeather, send: Sender) -> None:
    entries = world.take(*map(send.resolving, LETTERS))
    assert actions(entries) == ["RESOLVE_DLQ_EVENT"] * 8 + ["RESOLVE_ALERT"]


def test_dead_letters_resolved_in_the_tail_are_not_counted_after_a_takeover(world: FairWeather, send: Sender) -> None:
    world.take(*map(send.resolving, LETTERS[:6]))
    world.replace_first()
    assert actions(world.take(send.resolving(LETTERS[6]))) == ["RESOLVE_DLQ_EVENT"]
    assert actions(world.take(send.resolving(LETTERS[7]))) == ["RESOLVE_DLQ_EVENT", "RESOLVE_ALERT"]


def test_a_connection_that_reuses_a_deleted_id_has_none_of_the_old_dead_letters(
    world: FairWeather, send: Sender
) -> None:
    world.take(send("DELETE_CONNECTION", OWNER, connection_id=CONNECTION), send.connecting())
    bulk = send("RESOLVE_DLQ_EVENTS", connection_id=CONNECTION, filter={}, resolution="manual")
    entry = world.take(bulk)[0]
    assert b'"changed":false' in bytes(entry.metadata_json.data)
    assert b'"remaining":0' in bytes(entry.metadata_json.data)


def test_dead_letters_leave_memory_once_they_are_projected(world: FairWeather, send: Sender) -> None:
    world.take(*(send("RETRY_DLQ_EVENT", dlq_event_id=id_) for id_ in LETTERS))
    touched = world.shard.memory.cache.orgs[ORG].org
    assert touched is not None
    assert set(touched.dead_letters) == set(LETTERS)
    world.project()
    world.take(send("RENAME_ORG", OWNER, name="y"), send("RENAME_ORG", OWNER, name="z"))
    settled = world.shard.memory.cache.orgs[ORG].org
    assert settled is not None
    assert not settled.dead_letters


@pytest.mark.parametrize("pending", [98, 99])
def test_an_incomplete_count_is_redone_only_if_it_cannot_tell_a_warning_from_a_critical_alert(
    pending: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daybook_command.shard.dead_letter_counts.COUNTED", 101)
    needed = pending + 1 < CRITICAL
    recorded = command("RECORD_DLQ_EVENT", connection_id=CONNECTION, payload=1)
    connection = Connection(PROJECT, "sheet", "c", True, frozenset(), Activity(b"", pending=pending, more=True))
    org = Org("x", Map(), 0, Map(), connections=Map({CONNECTION: connection}))
    assert needs_recount(recorded, org) is needed
    assert (highest_count_floor([recorded]) >= pending) is needed
