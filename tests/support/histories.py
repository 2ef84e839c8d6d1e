"""Random histories of one org: what anybody may send, and the tables that the entries post.

The tables are folded here a second time, from the entries' bytes alone, the way the contract lists their rows.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from hypothesis import strategies as st

from daybook_command.domain.drafts import Draft
from daybook_command.domain.state import Org
from daybook_contracts.commands import Command
from daybook_contracts.principals import Principal, User
from support.given import ANN, BOB, CAT, DAN, IMPORTER, NOBODY, Given, Outcome, command, project

PEOPLE = (ANN, BOB, CAT, DAN, NOBODY)
TAKEN = frozenset({project(2)})
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

ROLES, PROJECT_ROLES = ("owner", "admin", "member", "viewer"), ("admin", "editor", "viewer")
NAMES, NTH = ("a", "b", "\u00fc"), (0, 1, 2)
DATA: dict[str, dict[str, tuple[object, ...]]] = {
    "REGISTER_USER": {"user_id": PEOPLE},
    "CREATE_ORG": {"name": NAMES},
    "RENAME_ORG": {"name": NAMES},
    "ADD_MEMBER": {"user_id": PEOPLE, "role": ROLES},
    "UPDATE_MEMBER": {"user_id": PEOPLE, "role": ROLES},
    "REMOVE_MEMBER": {"user_id": PEOPLE},
    "CREATE_PROJECT": {"name": NAMES, "project_id": (None, None, project(1), project(2))},
    "RENAME_PROJECT": {"nth": NTH, "name": NAMES},
    "ADD_PROJECT_MEMBER": {"nth": NTH, "user_id": PEOPLE, "role": PROJECT_ROLES},
    "UPDATE_PROJECT_MEMBER": {"nth": NTH, "user_id": PEOPLE, "role": PROJECT_ROLES},
    "REMOVE_PROJECT_MEMBER": {"nth": NTH, "user_id": PEOPLE},
}


@dataclass(frozen=True)
class Step:
    """A command before it is known which projects it can name: `nth` stands for one of them."""

    type_: str
    by: str | None
    principal: Principal
    data: dict[str, Any]

    def command(self, number: int, org: Org | None) -> Command:
        data: dict[str, Any] = dict(self.data)
        nth = self.data.get("nth")
        if isinstance(nth, int):
            del data["nth"]
            made = sorted(org.projects) if org is not None else []
            data["project_id"] = made[nth % len(made)] if made else project(9)
        return command(self.type_, by=self.by, id_=f"01890000-0000-7000-8000-{number:012d}", **data)


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
    _by_ann("ADD_PROJECT_MEMBER", nth=0, user_id=CAT, role="admin"),
)
"""So that something can happen from the first random step on."""

steps = st.one_of(*(st.sampled_from(_steps_of(type_)) for type_ in DATA))
histories = st.lists(steps, min_size=20, max_size=50).map(lambda later: [*OPENING, *later])


@dataclass
class Tables:
    """The rows that entries post, each as the contract has it; by plain loops, without the deciders' state."""

    users: set[str] = field(default_factory=lambda: {ANN, BOB, CAT, DAN})
    org_name: str | None = None
    org_members: dict[str, str] = field(default_factory=dict)
    projects: dict[str, str] = field(default_factory=dict)
    project_members: dict[tuple[str, str], str] = field(default_factory=dict)

    def post(self, draft: Draft) -> None:
        data: dict[str, Any] = json.loads(draft.data)
        if draft.error is not None or data.get("changed") is False:
            return
        match draft.action:
            case "REGISTER_USER":
                self.users.add(data["user_id"])
            case "CREATE_ORG":
                assert draft.actor_user_id is not None
                self.org_name, self.org_members = data["name"], {draft.actor_user_id: "owner"}
            case "RENAME_ORG":
                self.org_name = data["name"]
            case "ADD_MEMBER" | "UPDATE_MEMBER" | "REMOVE_MEMBER":
                self._post_member(draft.action, data)
            case _:
                self._post_project(draft.action, data)

    def _post_member(self, action: str, data: dict[str, Any]) -> None:
        user_id = data["user_id"]
        memberships = [(project_id, user_id) for project_id in data.get("project_ids", ())]
        if action == "REMOVE_MEMBER":
            del self.org_members[user_id]
            for membership in memberships:
                del self.project_members[membership]
        else:
            self.org_members[user_id] = data["role"]
            self.project_members.update(dict.fromkeys(memberships, "viewer"))

    def _post_project(self, action: str, data: dict[str, Any]) -> None:
        match action:
            case "CREATE_PROJECT" | "RENAME_PROJECT":
                self.projects[data["project_id"]] = data["name"]
            case "ADD_PROJECT_MEMBER" | "UPDATE_PROJECT_MEMBER":
                self.project_members[data["project_id"], data["user_id"]] = data["role"]
            case "REMOVE_PROJECT_MEMBER":
                del self.project_members[data["project_id"], data["user_id"]]
            case _:
                raise AssertionError(action)


def play(history: list[Step]) -> Iterator[tuple[Outcome, Tables]]:
    """Decides a history step by step; gives each outcome with the tables as they are after it."""
    tables, org = Tables(), None
    for number, step in enumerate(history):
        scene = Given(org, frozenset(tables.users), TAKEN)
        outcome = scene.when(step.command(number, org), step.principal)
        org = outcome.after()
        for draft in outcome.drafts():
            tables.post(draft)
        yield outcome, tables
