"""The commands that publishers sent and the answers they got: in memory for the checker, as JSON lines for people."""

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import IO

from support.chain import Json
from support.publisher import Send

Name = tuple[str, str]
"""The routing key and id of a command."""


def name_of(send: Send) -> Name:
    return send.key, send.command["id"]


@dataclass(slots=True)
class History:
    """`promised`: commands that Kafka acknowledged or an instance accepted, and that must not be lost. `waiting`: how
    many publishers still wait for the answer to a command. `times_sent`: how many publishers have sent a command.
    `given_up`: commands whose publisher gave up because nothing was done. `refusals`: the answers with the status 503.
    `series`: commands with one key that one request sent, in order.
    """

    file: IO[str]
    sent: dict[Name, Send] = field(default_factory=dict)
    promised: set[Name] = field(default_factory=set)
    waiting: dict[Name, int] = field(default_factory=dict)
    answers: list[tuple[Send, Json]] = field(default_factory=list)
    times_sent: Counter[Name] = field(default_factory=Counter)
    given_up: set[Name] = field(default_factory=set)
    refusals: list[str] = field(default_factory=list)
    series: list[list[Name]] = field(default_factory=list)

    def send(self, send: Send, way: str) -> None:
        self.expect(send, way)
        self.waiting[name_of(send)] = self.waiting.get(name_of(send), 0) + 1

    def expect(self, send: Send, way: str) -> None:
        """Records a command that may be decided or not, and for whose answer no publisher waits."""
        self.sent[name_of(send)] = send
        self.times_sent[name_of(send)] += 1
        self.note("sent", way=way, principal=send.principal, command=send.command)

    def promise(self, send: Send) -> None:
        self.promised.add(name_of(send))
        self.note("promised", id=send.command["id"])

    def answer(self, send: Send, answer: Json) -> None:
        self._wait_no_more(send)
        self.promised.add(name_of(send))
        self.answers.append((send, answer))
        self.note("answered", id=send.command["id"], answer=answer)

    def refuse(self, send: Send, body: str) -> None:
        self.refusals.append(body)
        self.note("refused", id=send.command["id"], body=body)

    def give_up(self, send: Send) -> None:
        """The publisher was told that nothing was done, and does not send the command again."""
        self._wait_no_more(send)
        self.given_up.add(name_of(send))
        self.note("given up", id=send.command["id"])

    def _wait_no_more(self, send: Send) -> None:
        name = name_of(send)
        self.waiting[name] -= 1
        if not self.waiting[name]:
            del self.waiting[name]

    def note(self, what: str, **more: object) -> None:
        line = {"at": round(time.time(), 3), "what": what, **more}
        self.file.write(json.dumps(line, ensure_ascii=False) + "\n")
