"""Judges a run by what publishers saw, by the log and by the tables. It shares no code with the services: chain, model
and fold are those of tests/support, written from the specification.
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
from support.driving import connected, until_projected
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
SHOWN = 5
P = ParamSpec("P")


@dataclass(slots=True)
class Evidence:
    """What there is when all is quiet again."""

    log: list[Chain]
    tables: Tables
    dead_letters: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    unprojected: str = ""


async def gather_evidence(settings: Settings) -> Evidence:
    log = await read_log(settings)
    dead = [_dead_letter(headers) for _, _, _, headers in await read_topic(settings, "commands.dlq")]
    async with connected(settings) as connection:
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
    """What is wrong, a few lines for each kind of wrong; empty if nothing is."""
    told = by_command(entries_of(found.log))
    partitions = len(found.log)
    lost = [name for name in history.promised if (partition_of(name[0], partitions), name[1]) not in told]
    answers = list(_wrong_answers(history, told, partitions))
    return [
        *_some("lost", lost),
        *_some("unanswered", history.waiting),
        *_some("answered wrongly", answers),
        *(line for chain in found.log for line in _raised("the chain is broken", check_chain, chain)),
        *_raised("decided wrongly", check_against_model, found.log, history.sent.values()),
        *_some("dead letter", found.dead_letters),
        *_some("in quarantine", found.quarantined),
        *([f"not projected: {found.unprojected}"] if found.unprojected else []),
        *_some("tables differ from the log", _differences(found)),
    ]


def _differences(found: Evidence) -> list[str]:
    try:
        return differences(fold(entries_of(found.log)), found.tables)
    except (AssertionError, KeyError) as wrong:
        return [f"the log is none that folds: {wrong!r}"]


def _wrong_answers(history: History, told: dict[tuple[int, str], list[Json]], partitions: int) -> Iterable[str]:
    """Every answer is what its command's entries say, and a repeat is answered as the first, but for `detail`."""
    given = defaultdict[tuple[str, str], set[bytes]](set)
    for send, answer in history.answers:
        entries = told.get((partition_of(send.key, partitions), send.command["id"]))
        lasting = {name: value for name, value in answer.items() if name != "detail"}
        given[send.key, send.command["id"]].add(jcs(lasting))
        if entries is not None:
            yield from _raised(send.command["id"], check_answer, answer, entries)
    for name, answers in given.items():
        if len(answers) > 1:
            yield f"{name} has {len(answers)} answers: {answers}"


def _some(title: str, things: Iterable[object]) -> list[str]:
    listed = list(things)
    more = [f"{title}: {len(listed) - SHOWN} more"] if len(listed) > SHOWN else []
    return [*(f"{title}: {thing}" for thing in listed[:SHOWN]), *more]


def _raised(title: str, check: Callable[P, object], *given: P.args, **named: P.kwargs) -> list[str]:
    try:
        check(*given, **named)
    except (AssertionError, KeyError) as wrong:
        return [f"{title}: {wrong!r}"]
    return []


def as_json(tables: Tables) -> str:
    """For people who look for what went wrong."""
    listed = {name: [[*key, *row] for key, row in sorted(table.items())] for name, table in tables.items()}
    return json.dumps(listed, ensure_ascii=False, indent=1)
