"""The matrix of rights, cell by cell: every command of every actor, in an org where only rights can make it fail."""

import json
from functools import cache

import pytest

from daybook_command.domain.decision import Acceptance
from daybook_command.domain.state import Org
from daybook_contracts.codes import Code
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.commands.registry import COMMANDS
from daybook_contracts.senders.principals import DAYBOOK, Principal, Service, User, parse_principal
from support.given import NOBODY, ORG, Given, Outcome
from support.matrix import OPEN_TO_NON_MEMBERS, RIGHTS, Actor, Cell, Verdict, cells, verdict
from support.matrix_rows import MORE_ROWS, ROWS, Row
from support.matrix_scene import PEOPLE, Scene, person
from support.publisher import Send

SCENE = Scene(ORG)
KNOWN = frozenset(person(name) for name in PEOPLE)
CELLS = cells([*ROWS, *MORE_ROWS])
OF_USERS = [cell for cell in CELLS if cell.actor not in {Actor.SERVICE, Actor.FOR_OWNER}]
IN_AN_ORG = [cell for cell in CELLS if cell.row.type not in OPEN_TO_NON_MEMBERS]
LOADER, STRANGER = Service("loader"), person("stranger")
OUTSIDERS = [
    (STRANGER, User(STRANGER)),
    (NOBODY, User(NOBODY)),
    (STRANGER, LOADER),
    (NOBODY, LOADER),
    (None, User(person("owner"))),
]


def decided(org: Org | None, send: Send, principal: Principal) -> Outcome:
    known = {name: value for name, value in send.command.items() if value is not None}
    return Given(org, KNOWN).when(parse_command(json.dumps(known).encode()), principal)


@cache
def founded() -> Org:
    org: Org | None = None
    for send in SCENE.founding(with_lounge=True):
        outcome = decided(org, send, LOADER)
        assert isinstance(outcome.decision, Acceptance), (send, outcome.decision)
        org = outcome.after()
    assert org is not None
    return org


def tried(cell: Cell, principal: Principal | None = None) -> Outcome:
    """The outcome of the cell's command. Its actor is the cell's; its sender too, unless `principal` is given."""
    send = SCENE.attempt(cell)
    org = None if cell.row.type in OPEN_TO_NON_MEMBERS else founded()
    return decided(org, send, principal or parse_principal(send.principal))


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_each_cell_gets_the_verdict_of_the_table_of_rights(cell: Cell) -> None:
    outcome = tried(cell)
    match verdict(cell.row, cell.actor):
        case Verdict.ALLOWED:
            assert isinstance(outcome.decision, Acceptance)
            assert [event.action for event in outcome.decision.entries] == [cell.row.type, *cell.row.policy]
        case Verdict.FORBIDDEN:
            outcome.then_rejected(Code.FORBIDDEN)
        case Verdict.ORG_NOT_FOUND:
            outcome.then_rejected(Code.ORG_NOT_FOUND)
        case None:
            pytest.fail("this actor cannot send the command")


@pytest.mark.parametrize("cell", OF_USERS, ids=str)
def test_a_service_acting_for_a_user_gets_the_users_own_decision(cell: Cell) -> None:
    assert tried(cell, LOADER).decision == tried(cell).decision


@pytest.mark.parametrize(("by", "principal"), OUTSIDERS, ids=str)
@pytest.mark.parametrize("cell", [cell for cell in IN_AN_ORG if cell.actor is Actor.STRANGER], ids=str)
def test_an_outsider_gets_the_answer_for_an_unknown_org(cell: Cell, by: str | None, principal: Principal) -> None:
    send = SCENE.attempt(cell)
    attempt = Send(send.principal, {**send.command, "actor_user_id": by})
    refused = decided(founded(), attempt, principal).then_rejected(Code.ORG_NOT_FOUND)
    assert refused.decision == decided(None, attempt, principal).decision


@pytest.mark.parametrize("cell", [cell for cell in IN_AN_ORG if cell.actor is Actor.SERVICE], ids=str)
def test_a_service_that_names_an_unknown_org_gets_org_not_found(cell: Cell) -> None:
    decided(None, SCENE.attempt(cell), LOADER).then_rejected(Code.ORG_NOT_FOUND)


@pytest.mark.parametrize("cell", [cell for cell in IN_AN_ORG if cell.actor is Actor.OWNER], ids=str)
def test_a_command_changes_the_org_if_its_row_says_so(cell: Cell) -> None:
    outcome = tried(cell)
    assert (outcome.after() != outcome.before) is cell.row.changes


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_an_admin_may_not_demote_an_owner_by_adding_it_again(role: str) -> None:
    row = Row("ADD_MEMBER", ({"user_id": "other owner", "role": role},))
    tried(Cell(row, 0, Actor.ADMIN)).then_rejected(Code.FORBIDDEN)


@pytest.mark.parametrize("row", [row for row in ROWS if row.type in {"COMPLETE_SYNC", "FAIL_SYNC"}])
def test_daybook_itself_has_the_rights_of_a_service(row: Row) -> None:
    assert isinstance(tried(Cell(row, 0, Actor.SERVICE), DAYBOOK).decision, Acceptance)


def test_every_command_has_rows_in_the_matrix() -> None:
    assert {row.type for row in ROWS} == set(RIGHTS) == set(COMMANDS)


def test_the_matrix_covers_every_actor_and_every_verdict() -> None:
    assert {cell.actor for cell in CELLS} == set(Actor)
    assert {verdict(cell.row, cell.actor) for cell in CELLS} == set(Verdict)
