"""Rows that belong to a thing are looked up even if only the tail knows the thing; the tables may not have it yet."""

from uuid import UUID

from daybook_contracts.entries.entry import Entry
from support.fair_weather import FairWeather
from support.simulation import command_record

OWNER, ORG, PROJECT, CONNECTION, FIRST, SECOND = (str(UUID(int=0x10 * n, version=4)) for n in range(1, 7))


class Sender:
    """Sends commands, each decided in a batch of its own."""

    def __init__(self) -> None:
        self.world = FairWeather(frozenset({OWNER}))

    def __call__(self, kind: str, actor: str | None = None, **data: object) -> list[Entry]:
        offset = len(self.world.sent)
        id_ = str(UUID(int=0x100 + offset, version=4))
        envelope: dict[str, object] = {"id": id_, "type": kind, "org_id": ORG, "actor_user_id": actor, "data": data}
        return self.world.take(command_record(offset, envelope))

    def project_and_forget(self) -> None:
        """Two commands: the tail is pruned when a batch begins, and settled state is dropped when one ends."""
        self.world.project()
        self("RENAME_ORG", OWNER, name="b")
        self("RENAME_ORG", OWNER, name="c")


def test_the_alert_of_a_run_known_only_to_the_tail_is_looked_up() -> None:
    send = Sender()
    send("CREATE_ORG", OWNER, name="a")
    send("CREATE_PROJECT", OWNER, name="p", project_id=PROJECT)
    connection = {"project_id": PROJECT, "connection_id": CONNECTION, "type": "sheet", "name": "c", "config": {}}
    send("CREATE_CONNECTION", OWNER, **connection)
    send("START_SYNC", connection_id=CONNECTION, sync_run_id=FIRST)
    failed = send("FAIL_SYNC", sync_run_id=FIRST, error_message="down")
    assert [entry.action for entry in failed] == ["FAIL_SYNC", "RAISE_ALERT"]
    send.project_and_forget()
    send("START_SYNC", connection_id=CONNECTION, sync_run_id=SECOND)
    again = send("FAIL_SYNC", sync_run_id=SECOND, error_message="down")
    assert [entry.action for entry in again] == ["FAIL_SYNC"]
