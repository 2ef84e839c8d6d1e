"""Each item of a batch is checked on its own. Only a body that is not a batch is refused as a whole."""

from uuid import UUID

import pytest

from daybook_contracts.codes import Code
from daybook_contracts.commands.batch import parse_batch
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.commands.orgs import RenameOrg
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.limits import BATCH_BYTES, BATCH_ITEMS, ENVELOPE_BYTES
from support.commands import COMMAND_ID, THING, raw


def _batch(*items: bytes) -> bytes:
    return b" [ " + b" ,\n".join(items) + b" ] "


def _whole_refusal(body: bytes) -> InvalidCommand:
    with pytest.raises(InvalidCommand) as caught:
        parse_batch(body)
    return caught.value


def test_items_come_back_in_order() -> None:
    named = [raw(data={"name": f"n{index}"}) for index in range(BATCH_ITEMS)]
    assert parse_batch(_batch(*named)) == [parse_command(item) for item in named]


@pytest.mark.parametrize(
    "item",
    [
        b"5",
        b"null",
        b"[]",
        b"{}",
        raw("NO_SUCH_TYPE"),
        b'{"id":"%b","x":1,"x":2}' % COMMAND_ID.encode(),
        b'{"id":"%b","x":NaN}' % COMMAND_ID.encode(),
        b'{"id":"%b","x":tru}' % COMMAND_ID.encode(),
        b'{"id":"%b","x":"\xff"}' % COMMAND_ID.encode(),
        b'{"id":"%b","x":"],[\\"{"}' % COMMAND_ID.encode(),
        b"[" * 3000 + b"]" * 3000,
        raw(data={"name": "x" * ENVELOPE_BYTES}),
    ],
)
def test_a_malformed_item_is_refused_as_if_sent_alone(item: bytes) -> None:
    first, refusal, last = parse_batch(_batch(raw(), item, raw(data={"name": "[{"})))
    assert isinstance(first, RenameOrg)
    assert isinstance(last, RenameOrg)
    with pytest.raises(InvalidCommand) as alone:
        parse_command(item)
    assert isinstance(refusal, InvalidCommand)
    assert vars(refusal) == vars(alone.value)


def test_an_item_with_a_secret_does_not_affect_the_next_item() -> None:
    secret = raw("UPDATE_CONNECTION", {"connection_id": THING, "config": {"token": "x"}})
    refusal, command = parse_batch(_batch(secret, raw()))
    assert isinstance(refusal, InvalidCommand)
    assert refusal.code is Code.SECRET_IN_CONFIG
    assert isinstance(command, RenameOrg)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"5",
        b"nonsense",
        b"[",
        b"]",
        b"[1,,2]",
        b"[1,]",
        b"[NaN,]",
        b"[1]]",
        b"[1] x",
        b"[[1]",
        b'["x]',
        b'[NaN, "x\\"]',
        b'["' + b'\\"' * 100_000,
        b"[" * 100_000,
        raw(),
    ],
)
def test_a_body_that_is_not_an_array_is_refused_as_a_whole(body: bytes) -> None:
    assert _whole_refusal(body).detail == "a batch is a JSON array of commands"


def test_an_empty_too_long_or_too_large_batch_is_refused_as_a_whole() -> None:
    assert "1 to 1000" in _whole_refusal(b"[]").detail
    assert "1 to 1000" in _whole_refusal(_batch(*[b"1"] * (BATCH_ITEMS + 1))).detail
    assert not _whole_refusal(b"[]").too_large
    assert _whole_refusal(b"[" + b" " * BATCH_BYTES + b"1]").too_large


def test_each_item_without_an_id_gets_its_own_default_id() -> None:
    ids = iter([THING, COMMAND_ID])
    commands = parse_batch(_batch(raw(id=None), raw(id=None)), default_id=lambda: str(UUID(next(ids))))
    assert [command.id for command in commands if not isinstance(command, InvalidCommand)] == [THING, COMMAND_ID]
