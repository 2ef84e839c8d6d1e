"""The checker finds nothing wrong with a run that went right, and each kind of wrong in one that did not."""

import io
from collections.abc import Callable, Iterable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest

from chaos.checker import Evidence, judge
from chaos.history import History
from support.chain import Chain, Json, entry_id, jcs, partition_of, request_hash, sealed
from support.model import Model
from support.publisher import Send
from support.replay import entries_of, status_of
from support.tables import fold
from support.workload import Workload

PARTITIONS = 4
SALT = "00112233445566778899aabbccddeeff"
START = datetime(2026, 11, 22, tzinfo=UTC)
DETAIL = "as it is"


@cache
def sound() -> tuple[History, Evidence]:
    """What there is after a workload that nothing has befallen."""
    workload, history = Workload(1, orgs=4, users=6, commands=120), History(io.StringIO())
    chains, model, at = [Chain(partition) for partition in range(PARTITIONS)], Model(), 0
    for send in [*workload.registrations, *workload.distinct]:
        history.send(send, "insist")
        decided = model.decide(send.principal, send.command)
        made = []
        for ordinal, told in enumerate(decided):
            at += 1
            chain = chains[partition_of(send.key, PARTITIONS)]
            made.append(written(chain, send, told, ordinal, len(decided), START + timedelta(microseconds=at)))
        history.answer(send, answered(made))
    return history, Evidence(chains, fold(entries_of(chains)))


def written(chain: Chain, send: Send, told: Json, ordinal: int, entries: int, at: datetime) -> Json:
    """An entry that the model tells of, put on the head."""
    command_id, data = send.command["id"], dict(told["data"])
    if ordinal > 0 and told["action"] != "RESOLVE_ALERT":
        data["message"] = DETAIL
    metadata: Json = {"v": 1, "partition": chain.partition, "command_id": command_id, "ordinal": ordinal}
    metadata |= {"entries": entries, "request": request_hash(SALT, send.command), "principal": told["principal"]}
    metadata |= {"data": data, "salt": SALT, "scope": told["scope"], "key": send.key}
    if told["code"] is not None:
        metadata["error"] = {"code": told["code"], "detail": DETAIL}
    entry = {name: value for name, value in told.items() if name not in {"code", "data", "principal", "scope"}}
    actor = send.command["actor_user_id"] if told["scope"] == "outsider" else None
    entry |= {"id": entry_id(send.key, command_id, ordinal, told["scope"], actor), "metadata_json": metadata}
    entry["created_at"] = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    position, prev = chain.head
    chain.take(position + 1, jcs(sealed(entry, position + 1, prev)))
    return chain.entries[-1]


def answered(entries: list[Json]) -> Json:
    last, metadata = entries[-1], entries[-1]["metadata_json"]
    place = {"command_id": metadata["command_id"], "position": f"{metadata['partition']}.{metadata['position']}"}
    if last["result"] == "success":
        made = [{name: entry[name] for name in ("id", "action", "entity_type", "entity_id")} for entry in entries]
        return {**place, "status": 200, "result": "success", "entries": made}
    code = metadata["error"]["code"]
    problem = {"type": f"urn:daybook:problem:{code}", "code": code, "detail": DETAIL, "entry_id": last["id"]}
    return {**place, **problem, "status": status_of(code)}


def rebuilt(chain: Chain, entries: Iterable[Json]) -> None:
    """The chain with these entries only, each sealed anew."""
    chain.entries.clear()
    for entry in entries:
        position, prev = chain.head
        chain.entries.append(sealed(entry, position + 1, prev))


def a_command_is_lost(history: History, found: Evidence) -> None:
    del found.log[0].entries[-1]


def a_command_is_decided_twice(history: History, found: Evidence) -> None:
    last = found.log[0].entries[-1]
    rebuilt(found.log[0], [*found.log[0].entries, last | {"created_at": "2027-01-01T00:00:00.000000Z"}])


def somebody_else_writes(history: History, found: Evidence) -> None:
    """Nobody sent the first command."""
    del history.sent[next(iter(history.sent))]


def an_order_is_not_kept(history: History, found: Evidence) -> None:
    """An org's entries one place further, with their times as they were."""
    longest = max(found.log, key=lambda chain: len(chain.entries))
    times = [entry["created_at"] for entry in longest.entries]
    turned = [longest.entries[-1], *longest.entries[:-1]]
    rebuilt(longest, [entry | {"created_at": at} for entry, at in zip(turned, times, strict=True)])


def a_hash_is_wrong(history: History, found: Evidence) -> None:
    found.log[1].entries[0]["metadata_json"]["commit"] = "00" * 32


def an_answer_is_wrong(history: History, found: Evidence) -> None:
    history.answers[-1][1]["position"] = "0.0"


def two_answers_differ(history: History, found: Evidence) -> None:
    send, answer = history.answers[-1]
    history.answers.append((send, answer | {"more": True}))


def nobody_answers(history: History, found: Evidence) -> None:
    history.send(history.answers[0][0], "publish")


def a_row_is_missing(history: History, found: Evidence) -> None:
    found.tables["org_members"].popitem()


def an_audit_row_differs(history: History, found: Evidence) -> None:
    key, row = found.tables["audit_log"].popitem()
    found.tables["audit_log"][key] = (None, *row[1:])


def an_org_is_in_quarantine(history: History, found: Evidence) -> None:
    found.quarantined.append("an org")


def a_command_is_in_the_dead_letters(history: History, found: Evidence) -> None:
    found.dead_letters.append("INTERNAL")


def test_nothing_is_wrong_with_what_went_right() -> None:
    assert judge(*sound()) == []


@pytest.mark.parametrize(
    ("harm", "title"),
    [
        (a_command_is_lost, "lost"),
        (a_command_is_decided_twice, "decided wrongly"),
        (somebody_else_writes, "decided wrongly"),
        (an_order_is_not_kept, "decided wrongly"),
        (a_hash_is_wrong, "the chain is broken"),
        (an_answer_is_wrong, "answered wrongly"),
        (two_answers_differ, "answered wrongly"),
        (nobody_answers, "unanswered"),
        (a_row_is_missing, "tables differ from the log"),
        (an_audit_row_differs, "tables differ from the log"),
        (an_org_is_in_quarantine, "in quarantine"),
        (a_command_is_in_the_dead_letters, "dead letter"),
    ],
)
def test_each_kind_of_wrong_is_found(harm: Callable[[History, Evidence], None], title: str) -> None:
    history, found = sound()
    copied = History(io.StringIO(), *deepcopy((history.sent, history.promised, history.waiting, history.answers)))
    evidence = deepcopy(found)
    harm(copied, evidence)
    assert [line for line in judge(copied, evidence) if line.startswith(title)]
