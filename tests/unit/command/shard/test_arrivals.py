"""Commands are marked and put back by the number of their arrival, whatever their offsets are."""

import pytest
from msgspec.structs import replace

from daybook_command.shard import batch
from daybook_command.shard.effects import Answer, Append
from daybook_command.shard.events import AppendRefused
from daybook_command.shard.inbox import Inbox
from support.one_shard import arrive, command_at, decide_batch, loaded_snapshot, only_effect, ready_shard, refusal_codes

CREATE = replace(command_at(0, "CREATE_ORG"), offset=700)


def test_arrivals_are_numbered_in_their_order() -> None:
    inbox = Inbox(0, 1, 500)
    inbox.add([command_at(offset) for offset in (70, 75)])
    inbox.add([command_at(90)])
    assert [(each.number, each.offset) for each in inbox.queue] == [(0, 70), (1, 75), (2, 90)]


def test_suspects_of_a_refused_append_are_marked_by_number() -> None:
    shard = ready_shard()
    decide_batch(shard, CREATE, command_at(701))
    shard.handle(AppendRefused("too large"))
    assert shard.inbox.suspects == {0, 1}


def test_a_command_that_crashes_its_decider_twice_is_refused_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    shard = ready_shard()
    with monkeypatch.context() as patched:
        patched.setattr(batch, "decide", fails)
        effects = shard.handle(loaded_snapshot(arrive(shard, CREATE, command_at(701))))
        assert shard.inbox.suspects == {0}
        effects = shard.handle(loaded_snapshot(effects))
        assert shard.inbox.doomed == {0}
        effects = shard.handle(loaded_snapshot(effects))
    answer = only_effect(effects, Answer)
    assert (refusal_codes(answer), answer.next_offset) == (["INTERNAL"], 701)
    assert shard.inbox.doomed == shard.inbox.suspects == set()
    assert len(only_effect(shard.handle(loaded_snapshot(effects)), Append).records) == 1
