"""The checker finds no problem in a correct run, and finds each kind of problem in a manipulated one."""

import io
from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import cache

import pytest

from chaos.checker import Evidence, judge
from chaos.history import History, name_of
from support.chain import Chain, Json, hashed_at, partition_of
from support.deciding import Deciders, append_decision
from support.logbook import Logbook
from support.replay import entries_of, status_of
from support.tables import fold
from support.workload import Workload

PARTITIONS = 4
DETAIL = "as it is"


@cache
def correct_run() -> tuple[History, Evidence]:
    """History and evidence of a workload without faults."""
    workload, history = Workload(1, orgs=4, users=6, commands=120), History(io.StringIO())
    deciders, log, chains = Deciders(), Logbook(PARTITIONS), [Chain(partition) for partition in range(PARTITIONS)]
    for send in [*workload.registrations, *workload.distinct]:
        history.send(send, "insist")
        chain, values = chains[partition_of(send.key, PARTITIONS)], append_decision(log, deciders.decide(send))
        for value in values:
            chain.take(len(chain.entries), value)
        history.answer(send, answer_to(chain.entries[-len(values) :]))
    return history, Evidence(chains, fold(entries_of(chains)))


def answer_to(entries: list[Json]) -> Json:
    last, metadata = entries[-1], entries[-1]["metadata_json"]
    place = {"command_id": metadata["command_id"], "position": f"{metadata['partition']}.{metadata['position']}"}
    if last["result"] == "success":
        refs = [{name: entry[name] for name in ("id", "action", "entity_type", "entity_id")} for entry in entries]
        return {**place, "status": 200, "result": "success", "entries": refs}
    code = metadata["error"]["code"]
    problem = {"type": f"urn:daybook:problem:{code}", "code": code, "detail": DETAIL, "entry_id": last["id"]}
    return {**place, **problem, "status": status_of(code)}


def replace_entries(chain: Chain, entries: Iterable[Json]) -> None:
    """Replaces the entries of the chain, and computes their positions and hashes again."""
    chain.entries.clear()
    for entry in entries:
        position, prev = chain.head
        chain.entries.append(hashed_at(entry, position + 1, prev))


def a_command_is_lost(history: History, found: Evidence) -> None:
    del found.log[0].entries[-1]


def a_command_is_decided_twice(history: History, found: Evidence) -> None:
    last = found.log[0].entries[-1]
    replace_entries(found.log[0], [*found.log[0].entries, last | {"created_at": "2027-01-01T00:00:00.000000Z"}])


def a_foreign_writer_appends(history: History, found: Evidence) -> None:
    """Removes the first command from the history."""
    del history.sent[next(iter(history.sent))]


def the_order_of_commands_is_wrong(history: History, found: Evidence) -> None:
    """Moves the last entry of the longest chain to its start, but keeps the order of the times."""
    longest = max(found.log, key=lambda chain: len(chain.entries))
    times = [entry["created_at"] for entry in longest.entries]
    rotated = [longest.entries[-1], *longest.entries[:-1]]
    replace_entries(
        longest, [entry | {"created_at": created_at} for entry, created_at in zip(rotated, times, strict=True)]
    )


def a_hash_is_invalid(history: History, found: Evidence) -> None:
    found.log[1].entries[0]["metadata_json"]["commit"] = "00" * 32


def an_answer_is_wrong(history: History, found: Evidence) -> None:
    history.answers[-1][1]["position"] = "0.0"


def two_answers_differ(history: History, found: Evidence) -> None:
    send, answer = history.answers[-1]
    history.answers.append((send, answer | {"more": True}))


def a_command_is_unanswered(history: History, found: Evidence) -> None:
    history.send(history.answers[0][0], "publish")


def a_command_is_decided_after_its_publisher_gave_up(history: History, found: Evidence) -> None:
    send = next(send for send, _ in history.answers if history.times_sent[name_of(send)] == 1)
    history.waiting[name_of(send)] = 1
    history.give_up(send)


def two_commands_of_a_request_are_decided_in_the_wrong_order(history: History, found: Evidence) -> None:
    first, second = [send for send in history.sent.values() if send.key == next(reversed(history.sent))[0]][:2]
    history.series += [[name_of(first), name_of(second)], [name_of(second), name_of(first)]]


def a_row_is_missing(history: History, found: Evidence) -> None:
    found.tables["org_members"].popitem()


def an_audit_row_differs(history: History, found: Evidence) -> None:
    key, row = found.tables["audit_log"].popitem()
    found.tables["audit_log"][key] = (None, *row[1:])


def an_org_is_in_quarantine(history: History, found: Evidence) -> None:
    found.quarantined.append("an org")


def a_command_is_in_the_dead_letters(history: History, found: Evidence) -> None:
    found.dead_letters.append("INTERNAL")


def an_entry_is_not_projected(history: History, found: Evidence) -> None:
    found.unprojected = "not within 60 s: 0.7"


def the_log_cannot_be_folded(history: History, found: Evidence) -> None:
    """Renames a project that does not exist."""
    chain = max(found.log, key=lambda chain: len(chain.entries))
    entry = next(each for each in chain.entries if each["action"] == "CREATE_PROJECT" and each["result"] == "success")
    entry["action"] = "RENAME_PROJECT"


def test_a_correct_run_has_no_problems() -> None:
    assert judge(*correct_run()) == []


@pytest.mark.parametrize(
    ("manipulate", "title"),
    [
        (a_command_is_lost, "lost"),
        (a_command_is_decided_twice, "decided wrongly"),
        (a_foreign_writer_appends, "decided wrongly"),
        (the_order_of_commands_is_wrong, "decided wrongly"),
        (a_hash_is_invalid, "the chain is broken"),
        (an_answer_is_wrong, "answered wrongly"),
        (two_answers_differ, "answered wrongly"),
        (a_command_is_unanswered, "unanswered"),
        (a_command_is_decided_after_its_publisher_gave_up, "decided after all"),
        (two_commands_of_a_request_are_decided_in_the_wrong_order, "out of order"),
        (a_row_is_missing, "tables differ from the log"),
        (an_audit_row_differs, "tables differ from the log"),
        (an_org_is_in_quarantine, "in quarantine"),
        (a_command_is_in_the_dead_letters, "dead letter"),
        (an_entry_is_not_projected, "not projected"),
        (the_log_cannot_be_folded, "tables differ from the log: the log cannot be folded"),
    ],
)
def test_each_kind_of_problem_is_found(manipulate: Callable[[History, Evidence], None], title: str) -> None:
    history, found = correct_run()
    kept = (history.sent, history.promised, history.waiting, history.answers, history.times_sent, history.given_up)
    copied, evidence = History(io.StringIO(), *deepcopy(kept)), deepcopy(found)
    manipulate(copied, evidence)
    assert [line for line in judge(copied, evidence) if line.startswith(title)]
