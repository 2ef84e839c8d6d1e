"""Odd values from a program or a server lead to Misuse or to an outcome, never to a hang or another error."""

from uuid import uuid4

import pytest

from daybook_client import Daybook, Misuse, blocking, commands, new_id_of
from daybook_client.answers import outcome_path, retry_after
from daybook_client.command import Command
from support.door_doubles import ORG

NOWHERE = "http://127.0.0.1:9"
ODD_URLS = ["http://h:abc", "http://h\n", "http://h:99999", "http://[::1", "http://xn--", "http://h:0", "ftp://h", ""]


@pytest.mark.parametrize("url", ODD_URLS)
def test_an_odd_url_is_misuse(url: str) -> None:
    for client in (Daybook, blocking.Daybook):
        with pytest.raises(Misuse, match="not the URL"):
            client.over_http(url, token="t")


def nested(levels: int) -> Command:
    payload: object = 0
    for _ in range(levels):
        payload = [payload]
    return commands.RecordDlqEvent(org_id=ORG, connection_id=ORG, payload=payload)


@pytest.mark.parametrize("command", [nested(100_000), commands.RenameOrg(org_id="\ud800", name="x")])
async def test_a_command_that_cannot_be_written_as_json_is_misuse(command: Command) -> None:
    async with Daybook.over_http(NOWHERE, token="t") as daybook:
        with pytest.raises(Misuse, match="cannot be written as JSON"):
            await daybook.send(command)
        with pytest.raises(Misuse, match="cannot be written as JSON"):
            await anext(daybook.send_many([command]))
    with blocking.Daybook.over_http(NOWHERE, token="t") as waiting, pytest.raises(Misuse):
        next(waiting.send_many([command]))


@pytest.mark.parametrize("count", [0, -1])
async def test_fewer_than_one_command_in_flight_is_misuse(count: int) -> None:
    async with Daybook.over_http(NOWHERE, token="t") as daybook:
        with pytest.raises(Misuse, match="in_flight"):
            daybook.send_many([], in_flight=count)
    with blocking.Daybook.over_http(NOWHERE, token="t") as waiting, pytest.raises(Misuse, match="at_once"):
        waiting.send_many([], at_once=count)


def test_the_id_of_a_command_may_be_a_uuid() -> None:
    chosen = uuid4()
    command = commands.CreateProject(id=chosen, org_id=ORG, name="x")  # type: ignore[arg-type]
    assert command == commands.CreateProject(id=str(chosen), org_id=ORG, name="x")
    assert outcome_path(command).endswith(f"/{chosen}")
    assert new_id_of(command)


def test_a_retry_after_beyond_the_calendar_is_ignored() -> None:
    assert retry_after({"retry-after": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}) is None
