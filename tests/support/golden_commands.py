"""The golden transcript's input: ten thousand records of the commands topic, with every type and every outcome.

The records are seeded: they are the same on every machine. There are two deployments: one manages its users itself, the
other has an identity provider and a service policy. Most commands come from the workload generator; this module adds
repeats, reused ids, misrouted and malformed records, and headers that are missing or wrong.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from daybook_contracts.entries import facts
from daybook_contracts.entries.entry import EntryError
from daybook_contracts.entries.fields import free_json
from daybook_contracts.limits import ENVELOPE_BYTES, RETRY_COUNT
from daybook_contracts.senders.policy import Grant, ServicePolicy
from daybook_contracts.senders.principals import sign
from daybook_contracts.topics import DOOR, DOOR_HTTP, FORWARDED_FROM, PRINCIPAL, REPLY_PARTITION, SIGNATURE, TRACEPARENT
from support.chain import Json, request_hash
from support.draws import new_id
from support.logbook import SALT, Logbook, org, project, thing, user
from support.malformed import CASES
from support.publisher import Send
from support.workload import SERVICE, Workload, command

PARTITIONS = 4
DOOR_KEY, LOADER_KEY, NARROW_KEY = (letter * 32 for letter in (b"d", b"l", b"n"))
KEYS = {"service:loader": LOADER_KEY, "service:flooder": LOADER_KEY, "service:narrow": NARROW_KEY}
POISONED, SPENT, FUTURE, ANN = org(1), org(2), org(3), user(1)
"""The orgs of `history`, in the order of its docstring, and their owner."""
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_RANDOM_ID = re.compile(rb"[0-9a-f]{8}-?[0-9a-f]{4}-?[48][0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Sent:
    """`kind` is the command's type or, in parentheses, what is wrong with the record. The record is sent to the
    partition that is `astray` partitions after its own. `offsets` is more than 1 for a record that stands for a
    batch too large to read.
    """

    kind: str
    key: str
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    astray: int = 0
    offsets: int = 1


def policy() -> ServicePolicy:
    """The services loader and flooder may send every command. The service narrow may send two types, and may not act
    for users.
    """
    everything = Grant(None, None, act_for_users=True, keys=(LOADER_KEY,))
    narrow = Grant(frozenset({"RECORD_DLQ_EVENT", "RENAME_ORG"}), None, act_for_users=False, keys=(NARROW_KEY,))
    return ServicePolicy({"loader": everything, "flooder": everything, "narrow": narrow}, (DOOR_KEY,))


def history() -> Logbook:
    """The log before the first command: an org with a poison entry, a dead letter with the highest retry count, and a
    rejection with a code that this version does not know.
    """
    log = Logbook(PARTITIONS)
    log.register(ANN)
    for org_id in (POISONED, SPENT, FUTURE):
        log.add(org_id, ANN, facts.OrgCreated(name="Planted"))
    log.add(POISONED, ANN, facts.OrgRenamed(name="poison"), action="DANCE")
    log.add(SPENT, ANN, facts.ProjectCreated(project_id=project(1), name="P"))
    made = {"connection_id": thing(1), "project_id": project(1), "type": "own", "name": "C"}
    log.add(SPENT, ANN, facts.ConnectionCreated(**made, config=free_json({})))
    letter = {"connection_id": thing(1), "dlq_event_id": thing(2)}
    log.add(SPENT, ANN, facts.DlqEventRecorded(**letter, payload=free_json(None)), project_id=project(1))
    log.add(SPENT, ANN, facts.DlqEventRetried(**letter, retry_count=RETRY_COUNT), project_id=project(1))
    refused = _future()
    columns = log._columns(FUTURE, ANN, "RENAME_ORG", FUTURE, FUTURE)
    outcome = {"result": "failure", "data": b'{"name":"Later"}', "error": EntryError("NOT_KNOWN_YET", "Not now.")}
    assert columns["command_id"] == refused["id"]
    log.append({**columns, **outcome, "request": request_hash(SALT, refused)})
    return log


def _future() -> Json:
    """The command that was rejected with the unknown code."""
    return command("RENAME_ORG", FUTURE, ANN, "01890000-0000-7000-8000-000000000009", name="Later")


def _to_planted(draw: Random) -> Send:
    """A command for one of the orgs in `history`."""
    id_, letter = new_id(draw), {"connection_id": thing(1)}
    return draw.choice(
        [
            Send(f"user:{ANN}", command("RENAME_ORG", POISONED, ANN, id_, name="Late")),
            Send(SERVICE, command("RETRY_DLQ_EVENT", SPENT, None, id_, dlq_event_id=thing(2))),
            Send(SERVICE, command("RETRY_DLQ_EVENTS", SPENT, None, id_, **letter, ids=[thing(2)])),
            Send(SERVICE, command("RETRY_DLQ_EVENTS", SPENT, None, id_, **letter, filter={})),
            Send(SERVICE, command("START_SYNC", SPENT, None, id_, **letter)),
            Send(f"user:{ANN}", _future()),
        ]
    )


def managed(count: int) -> Iterator[Sent]:
    """Commands for DAYBOOK_USERS=managed. One connection gets more dead letters than one bulk command takes."""
    workload = Workload(20_261_122, orgs=50, users=70, commands=6400, repeated=0.1, flooded=1050)
    return _records(Random(1), [*workload.registrations, *workload.sends], count, signed=False)


def external(count: int) -> Iterator[Sent]:
    workload = Workload(20_261_123, orgs=15, users=25, commands=2500)
    return _records(Random(2), [*workload.registrations[:9], *workload.sends], count, signed=True)


def external_users() -> frozenset[str]:
    return frozenset(send.key for send in Workload(20_261_123, orgs=1, users=25, commands=1).registrations)


def _records(draw: Random, sends: list[Send], count: int, *, signed: bool) -> Iterator[Sent]:
    """Exactly `count` records: the workload's commands, and between them the faults."""
    made: list[Sent] = []
    earlier: list[Send] = []
    cases = iter(CASES * 2)
    for send in sends:
        made.append(_sometimes_misrouted(draw, _record_of(draw, send, signed=signed)))
        if (case := next(cases, None) if draw.random() < 0.016 else None) is not None:
            key, value = new_id(draw), _RANDOM_ID.sub(lambda found: _seeded_id(draw, found[0]), case.body)
            headers = _headers(draw, SERVICE, value, signed=signed)
            made.append(Sent(f"({case.name})", key, value, headers))
        match draw.randrange(120):
            case 0 | 1:
                made.append(_record_of(draw, draw.choice(earlier or [send]), signed=signed))
            case 2 | 3:
                used = draw.choice([each for each in earlier[-400:] if each.key == send.key] or [send])
                made.append(_record_of(draw, _with_id(used.command["id"], send), signed=signed))
            case 4 | 5 | 6 if not signed:
                made.append(_record_of(draw, _to_planted(draw), signed=signed))
            case 7:
                made.append(_unreadable_record(draw, send, signed=signed))
            case _:
                pass
        earlier.append(send)
    assert len(made) >= count, len(made)
    return iter(made[:count])


def _with_id(id_: str, send: Send) -> Send:
    return Send(send.principal, {**send.command, "id": id_})


def _seeded_id(draw: Random, id_: bytes) -> bytes:
    """A seeded id of the same form. It replaces an id from `malformed`, whose ids differ in every process."""
    digits, at, made = new_id(draw).replace("-", ""), 0, ""
    for character in id_.decode():
        made += character if character == "-" or at == 12 else digits[at]
        at += character != "-"
    return made.encode()


def _sometimes_misrouted(draw: Random, sent: Sent) -> Sent:
    """Sends one record in thirty to another partition, in some cases as if it had been forwarded before."""
    if draw.random() > 1 / 30:
        return sent
    again = ((FORWARDED_FROM, b"daybook.commands/0/0"),) if draw.random() < 0.3 else ()
    return replace(sent, astray=draw.randrange(1, PARTITIONS), headers=(*sent.headers, *again))


def _record_of(draw: Random, send: Send, *, signed: bool) -> Sent:
    """The command's record, with variations of the envelope and the headers."""
    envelope, principal = send.command, send.principal
    if principal.startswith("user:") and draw.random() < 0.1:
        envelope = {**envelope, "actor_user_id": None}
    value = send.body if draw.random() < 0.8 else json.dumps(envelope, indent=1).encode()
    if signed and principal == SERVICE and draw.random() < 0.3:
        principal = draw.choice(["service:narrow", "service:narrow", "service:stranger"])
    return Sent(send.command["type"], send.key, value, _headers(draw, principal, value, signed=signed))


def _headers(draw: Random, principal: str, value: bytes, *, signed: bool) -> tuple[tuple[str, bytes], ...]:
    door = DOOR_HTTP if principal.startswith("user:") and draw.random() < 0.4 else b""
    name = principal.encode()
    if draw.random() < 0.02:
        name = draw.choice([b"", b"user:ada", b"service:Loader!", f"user:{ANN}".encode(), b"service:daybook"])
    asked = draw.choice([b"99", b"x", b"-1"]) if draw.random() < 0.02 else str(draw.randrange(PARTITIONS)).encode()
    headers = [(PRINCIPAL, name), (REPLY_PARTITION, asked), (TRACEPARENT, draw.choice([TRACE, TRACE, b"00-x"]))]
    kept = [header for header in headers if draw.random() < (0.2 if header[0] == TRACEPARENT else 0.985)]
    if door:
        kept.append((DOOR, door))
    if signed and draw.random() < 0.97:
        kept.append((SIGNATURE, sign(KEYS.get(principal, DOOR_KEY), name, door, value)))
    return tuple(kept)


def _unreadable_record(draw: Random, send: Send, *, signed: bool) -> Sent:
    """A record without a value, a record that is too large, or a record that stands for an unreadable batch."""
    headers = _headers(draw, SERVICE, b"", signed=signed)
    large = send.body[:-1] + b',"x":"' + b"x" * ENVELOPE_BYTES + b'"}'
    return draw.choice(
        [
            Sent("(no value)", send.key, None, headers),
            Sent("(oversize)", send.key, large, headers),
            Sent("(oversize)", send.key, large, headers),
            Sent("(lost batch)", send.key, None, (), offsets=3),
        ]
    )
