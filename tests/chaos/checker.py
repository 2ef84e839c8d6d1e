"""Judges a run from the publishers' history, the log and the tables. It shares no code with the services: the hash
chain, the model and the fold are those of tests/support, which are written from the contract.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import ParamSpec

import asyncpg

from chaos.history import History
from daybook_infra.runtime.settings import Settings
from support.chain import Chain, Json, jcs, partition_of
from support.driving import open_database, until_projected
from support.replay import (
    by_command,
    check_against_model,
    check_answer,
    check_chain,
    entries_of,
    read_log,
    read_topic,
)
from support.tables import Tables, differences, fold, read_tables

PROJECTED_SECONDS = 60
MAX_SHOWN = 5
"""At most this many problems of each kind are listed."""
P = ParamSpec("P")


@dataclass(slots=True)
class Evidence:
    """The log, the tables, and everything else that is checked after a run."""

    log: list[Chain]
    tables: Tables
    dead_letters: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    unprojected: str = ""


async def gather_evidence(settings: Settings) -> Evidence:
    log = await read_log(settings)
    dead = [_dead_letter(headers) for _, _, _, headers in await read_topic(settings, "commands.dlq")]
    async with open_database(settings) as connection:
        heads = [f"{chain.partition}.{chain.head[0]}" for chain in log if chain.entries]
        unprojected = ""
        try:
            await until_projected(connection, heads, PROJECTED_SECONDS)
        except (AssertionError, asyncpg.PostgresError) as error:
            unprojected = str(error)
        quarantined = [str(dict(row)) for row in await connection.fetch("select * from daybook.quarantine")]
        return Evidence(log, await read_tables(connection), dead, quarantined, unprojected)


def _dead_letter(headers: dict[str, bytes]) -> str:
    return headers.get("daybook-reason", b"").decode(errors="replace")


def judge(history: History, found: Evidence) -> list[str]:
    """The problems of a run, a few lines for each kind; empty if the run passed."""
    decisions = by_command(entries_of(found.log))
    partitions = len(found.log)
    lost = [name for name in history.promised if (partition_of(name[0], partitions), name[1]) not in decisions]
    undone = [name for name in history.given_up if history.times_sent[name] == 1]
    done = [name for name in undone if (partition_of(name[0], partitions), name[1]) in decisions]
    places = {name: entries[0]["metadata_json"]["position"] for name, entries in decisions.items()}
    series = [[places.get((partition_of(key, partitions), id_), -1) for key, id_ in each] for each in history.series]
    answers = list(_wrong_answers(history, decisions, partitions))
    return [
        *_listed("lost", lost),
        *_listed("unanswered", history.waiting),
        *_listed("decided after all", done),
        *_listed("out of order", [each for each in series if each != sorted(each)]),
        *_listed("answered wrongly", answers),
        *(line for chain in found.log for line in _failure_of("the chain is broken", check_chain, chain)),
        *_failure_of("decided wrongly", check_against_model, found.log, history.sent.values()),
        *_listed("dead letter", found.dead_letters),
        *_listed("in quarantine", found.quarantined),
        *([f"not projected: {found.unprojected}"] if found.unprojected else []),
        *_listed("tables differ from the log", _differences(found)),
    ]


def _differences(found: Evidence) -> list[str]:
    try:
        return differences(fold(entries_of(found.log)), found.tables)
    except (AssertionError, KeyError) as error:
        return [f"the log cannot be folded: {error!r}"]


def _wrong_answers(history: History, decisions: dict[tuple[int, str], list[Json]], partitions: int) -> Iterable[str]:
    """Answers that do not agree with their command's entries, and repeats that got another answer (apart
    from `detail`).
    """
    given = defaultdict[tuple[str, str], set[bytes]](set)
    for send, answer in history.answers:
        entries = decisions.get((partition_of(send.key, partitions), send.command["id"]))
        without_detail = {name: value for name, value in answer.items() if name != "detail"}
        given[send.key, send.command["id"]].add(jcs(without_detail))
        if entries is not None:
            yield from _failure_of(send.command["id"], check_answer, answer, entries)
    for name, answers in given.items():
        if len(answers) > 1:
            yield f"{name} has {len(answers)} answers: {answers}"


def _listed(title: str, things: Iterable[object]) -> list[str]:
    listed = list(things)
    more = [f"{title}: {len(listed) - MAX_SHOWN} more"] if len(listed) > MAX_SHOWN else []
    return [*(f"{title}: {item}" for item in listed[:MAX_SHOWN]), *more]


def _failure_of(title: str, check: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> list[str]:
    try:
        check(*args, **kwargs)
    except (AssertionError, KeyError) as error:
        return [f"{title}: {error!r}"]
    return []


def as_json(tables: Tables) -> str:
    """The tables as JSON, for people who look for the cause of a failed run."""
    listed = {name: [[*key, *row] for key, row in sorted(table.items())] for name, table in tables.items()}
    return json.dumps(listed, ensure_ascii=False, indent=1)
