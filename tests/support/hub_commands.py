"""Random commands of the integration hub for the simulated shard: few things, named again and again."""

import random
from collections.abc import Callable, Sequence
from uuid import UUID

from daybook_command.shard.records import CommandRecord
from daybook_contracts.entries.identity import policy_alert_id
from support.simulation import command_record

OWNER = str(UUID(int=0x10, version=4))
ORGS = [str(UUID(int=0x1000 + n, version=4)) for n in range(2)]
# Ids that the services choose: of each org two connections, and children with ids from a small pool.
CONNECTIONS, CHILDREN = 2, 30
# Now and then they choose from these few, which are the same for both orgs.
SHARED, FOR_ALL = 3, 7

Data = dict[str, object]


def _id(kind: int, org: int, number: int) -> str:
    return str(UUID(int=(kind << 64) | (org << 32) | number, version=4))


class Drawn:
    """One seed's commands. Every org and its project are founded first."""

    def __init__(self, seed: int, orgs: Sequence[str] = ORGS) -> None:
        self._draw = random.Random(seed)
        self._orgs = orgs
        self._kinds: dict[str, tuple[int, Callable[[int], Data]]] = {
            "CREATE_CONNECTION": (6, self._creation),
            "UPDATE_CONNECTION": (2, lambda org: {**self._connection(org), "name": self._word()}),
            "DELETE_CONNECTION": (3, self._connection),
            "START_SYNC": (9, lambda org: {**self._connection(org), "sync_run_id": self._child(1, org)}),
            "FAIL_SYNC": (7, lambda org: {"sync_run_id": self._child(1, org), "error_message": "down"}),
            "COMPLETE_SYNC": (3, lambda org: {"sync_run_id": self._child(1, org)}),
            "CANCEL_SYNC": (2, lambda org: {"sync_run_id": self._child(1, org)}),
            "RECORD_DLQ_EVENT": (30, self._recording),
            "RETRY_DLQ_EVENT": (4, lambda org: {"dlq_event_id": self._child(2, org)}),
            "RESOLVE_DLQ_EVENT": (7, lambda org: {"dlq_event_id": self._child(2, org), "resolution": "manual"}),
            "RETRY_DLQ_EVENTS": (4, self._bulk),
            "RESOLVE_DLQ_EVENTS": (5, lambda org: {**self._bulk(org), "resolution": "discarded"}),
            "RESOLVE_ALERT": (3, self._alert),
        }

    def records(self, count: int) -> list[CommandRecord]:
        """A fifth of them come twice."""
        return [command_record(offset, envelope) for offset, envelope in enumerate(self._envelopes(count))]

    def _envelopes(self, count: int) -> list[Data]:
        envelopes = [self._envelope(*each) for org in range(len(self._orgs)) for each in self._founding(org)]
        weights = [weight for weight, _ in self._kinds.values()]
        while len(envelopes) < count:
            if self._draw.random() < 0.2:
                envelopes.append(self._draw.choice(envelopes))
                continue
            org = self._draw.randrange(len(self._orgs))
            kind = self._draw.choices(list(self._kinds), weights)[0]
            envelopes.append(self._envelope(kind, org, None, self._kinds[kind][1](org)))
        return envelopes

    def _founding(self, org: int) -> list[tuple[str, int, str | None, Data]]:
        return [
            ("CREATE_ORG", org, OWNER, {"name": "x"}),
            ("CREATE_PROJECT", org, OWNER, {"name": "p", "project_id": _id(9, org, 0)}),
            *(("CREATE_CONNECTION", org, OWNER, self._creation(org, number)) for number in range(CONNECTIONS)),
        ]

    def _envelope(self, kind: str, org: int, actor: str | None, data: Data) -> Data:
        command_id = str(UUID(int=self._draw.getrandbits(128), version=4))
        actor = OWNER if kind.endswith("_CONNECTION") else actor
        return {"id": command_id, "type": kind, "org_id": self._orgs[org], "actor_user_id": actor, "data": data}

    def _word(self) -> str:
        return self._draw.choice("abc")

    def _child(self, kind: int, org: int) -> str:
        if self._draw.random() < 0.15:
            return _id(kind, FOR_ALL, self._draw.randrange(SHARED))
        return _id(kind, org, self._draw.randrange(CHILDREN))

    def _connection(self, org: int) -> Data:
        return {"connection_id": _id(8, org, self._draw.randrange(CONNECTIONS))}

    def _creation(self, org: int, number: int | None = None) -> Data:
        which = self._draw.randrange(CONNECTIONS) if number is None else number
        what = {"connection_id": _id(8, org, which), "project_id": _id(9, org, 0)}
        return {**what, "type": "sheet", "name": "c", "config": {"of": self._word()}}

    def _recording(self, org: int) -> Data:
        return {**self._connection(org), "dlq_event_id": self._child(2, org), "payload": self._draw.randrange(9)}

    def _bulk(self, org: int) -> Data:
        chosen: Data = self._draw.choice(
            [
                {"ids": [self._child(2, org)]},
                {"ids": sorted({self._child(2, org) for _ in range(3)})},
                {"filter": {}},
                {"filter": {"max_retry_count": self._draw.randrange(2)}},
            ]
        )
        return {**self._connection(org), **chosen}

    def _alert(self, org: int) -> Data:
        connection_id = _id(8, org, self._draw.randrange(CONNECTIONS))
        return {"alert_id": policy_alert_id(connection_id, self._draw.choice(["sync_failing", "dlq_backlog"]))}
