"""Commands that give a connection more dead letters than one bulk command takes, and bulk commands that retry and
resolve them.
"""

from support.chain import Json
from support.draws import Draws
from support.publisher import Send

GAP = 200
"""The distance, in commands, between a command and another one that needs its outcome."""
EVERY = 4
"""One in this many commands of the workload records a dead letter."""
FLOODER = "service:flooder"


def flood(draws: Draws, letters: int) -> dict[int, Send]:
    """The commands, by their place in the workload."""
    org_id, owner, project_id, connection_id = draws.id(), draws.one_of(draws.users), draws.id(), draws.id()
    connection = {"connection_id": connection_id, "type": "warehouse", "name": "Flooded", "config": {"depth": 3}}
    sends = {
        0: _send(draws, org_id, owner, "CREATE_ORG", {"name": "Flooded"}),
        GAP: _send(draws, org_id, owner, "CREATE_PROJECT", {"project_id": project_id, "name": "Flooded"}),
        2 * GAP: _send(draws, org_id, owner, "CREATE_CONNECTION", {"project_id": project_id, **connection}),
    }
    end = 3 * GAP + EVERY * letters
    for at in range(3 * GAP, end, EVERY):
        data = {"connection_id": connection_id, "payload": {"number": at}}
        sends[at] = _send(draws, org_id, None, "RECORD_DLQ_EVENT", data)
    fresh: Json = {"filter": {"max_retry_count": 0}}
    resolved: Json = {"filter": {}, "resolution": "discarded"}
    cures = [("RETRY_DLQ_EVENTS", fresh)] * 3 + [("RESOLVE_DLQ_EVENTS", resolved)] * 3
    for step, (kind, data) in enumerate(cures, 1):
        sends[end + step * GAP] = _send(draws, org_id, None, kind, {"connection_id": connection_id, **data})
    return sends


def _send(draws: Draws, org_id: str, actor: str | None, kind: str, data: Json) -> Send:
    return Send(FLOODER, {"id": draws.id(), "type": kind, "org_id": org_id, "actor_user_id": actor, "data": data})
