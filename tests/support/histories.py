"""Random histories of one org: what anybody may send, and the tables that the entries post.

The tables are folded a second time, from the entries' bytes alone, the way the contract lists their rows.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from hypothesis import strategies as st

from daybook_command.domain.drafts import Draft
from daybook_command.domain.state import Org
from daybook_contracts.commands.registry import Command
from daybook_contracts.senders.principals import DAYBOOK, Principal, User
from support import tables as independent
from support.given import (
    ANN,
    BOB,
    CAT,
    DAN,
    IMPORTER,
    NOBODY,
    ORG,
    Given,
    Outcome,
    command,
    connection,
    dead_letter,
    project,
    secret_ref,
    sync_run,
)
from support.history_data import DATA, NTH, Nth

TAKEN = frozenset({project(2), connection(2), sync_run(2), dead_letter(2), secret_ref(2)})
"""In another org."""

SENDERS: tuple[tuple[str | None, Principal], ...] = (
    *[(ANN, User(ANN))] * 5,
    *[(BOB, User(BOB))] * 3,
    *[(CAT, User(CAT))] * 2,
    (ANN, IMPORTER),
    (DAN, User(DAN)),
    (NOBODY, User(NOBODY)),
    (None, IMPORTER),
)
"""ANN founds the org, so most of what she sends is accepted; a history of refusals tests little."""


@dataclass(frozen=True)
class Step:
    """A command before it is known which of the org's things it can name."""

    type_: str
    by: str | None
    principal: Principal
    data: dict[str, Any]

    def command(self, number: int, org: Org | None) -> Command:
        data = {name: _named(name, value, org) for name, value in self.data.items()}
        return command(self.type_, self.by, id_=f"01890000-0000-7000-8000-{number:012d}", **data)


def _named(name: str, value: object, org: Org | None) -> Any:
    match value:
        case Nth(number):
            made = sorted(_things(name, org))
            return made[number % len(made)] if made else project(9)
        case tuple():
            return [_named(name, each, org) for each in value]
        case _:
            return value


def _things(name: str, org: Org | None) -> Mapping[str, object]:
    if org is None:
        return {}
    return {
        "project_id": org.projects,
        "connection_id": org.connections,
        "sync_run_id": org.runs,
        "dlq_event_id": org.dead_letters,
        "ids": org.dead_letters,
        "alert_id": org.alerts,
        "secret_ref_id": org.secret_refs,
    }[name]


def _steps_of(type_: str) -> list[Step]:
    fields = DATA[type_]
    return [
        Step(type_, by, principal, dict(zip(fields, values, strict=True)))
        for by, principal in SENDERS
        for values in product(*fields.values())
    ]


def _by_ann(type_: str, **data: object) -> Step:
    return Step(type_, ANN, User(ANN), data)


OPENING = (
    _by_ann("CREATE_ORG", name="a"),
    _by_ann("ADD_MEMBER", user_id=BOB, role="admin"),
    _by_ann("ADD_MEMBER", user_id=CAT, role="member"),
    _by_ann("CREATE_PROJECT", name="a"),
    _by_ann("ADD_PROJECT_MEMBER", project_id=Nth(0), user_id=CAT, role="admin"),
    _by_ann("CREATE_SECRET_REF", key_name="a", secret_id_ref="env:A"),
    _by_ann("CREATE_CONNECTION", project_id=Nth(0), type="sheets", name="a", config={"secrets": {"key": "a"}}),
    _by_ann("CREATE_CONNECTION", project_id=Nth(0), type="sheets", name="b", config={}),
    _by_ann("START_SYNC", connection_id=Nth(0)),
    _by_ann("RECORD_DLQ_EVENT", connection_id=Nth(0), payload=1),
)
"""So that something can happen from the first random step on."""

_TIMEOUTS = [Step("FAIL_SYNC", None, DAYBOOK, {"sync_run_id": nth, "error_message": "TIMED_OUT"}) for nth in NTH]
steps = st.one_of(*(st.sampled_from(_steps_of(type_)) for type_ in DATA), st.sampled_from(_TIMEOUTS))
histories = st.lists(steps, min_size=20, max_size=50).map(lambda later: [*OPENING, *later])


@dataclass
class Tables:
    """The rows that entries post; `posted` stands for the time, which drafts have not."""

    rows: independent.Tables = field(default_factory=lambda: {name: {} for name in independent.COLUMNS})
    posted: int = 0

    def __post_init__(self) -> None:
        self.rows["auth.users"] = {(user_id,): () for user_id in (ANN, BOB, CAT, DAN)}

    def post(self, draft: Draft) -> None:
        data: dict[str, Any] = json.loads(draft.data)
        self.posted += 1
        if draft.error is None and data.get("changed", True):
            entry = {"org_id": ORG, "actor_user_id": draft.actor_user_id, "action": draft.action}
            independent.FOLDS[draft.action](self.rows, {**entry, "created_at": f"{self.posted:06d}"}, data)

    def ids(self, table: str) -> set[str]:
        return {id_ for id_, *_ in self.rows[table]}


def play(history: list[Step]) -> Iterator[tuple[Outcome, Tables]]:
    """Decides a history step by step; gives each outcome with the tables as they are after it."""
    tables, org = Tables(), None
    for number, step in enumerate(history):
        scene = Given(org, frozenset(tables.ids("auth.users")), TAKEN)
        outcome = scene.when(step.command(number, org), step.principal)
        org = outcome.after()
        for draft in outcome.drafts():
            tables.post(draft)
        yield outcome, tables
