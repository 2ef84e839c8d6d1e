"""The matrix of rights, cell by cell: every command by every kind of actor, in an org where it would else succeed."""

import json
from functools import cache

import pytest

from daybook_command.domain.decision import Acceptance
from daybook_command.domain.state import Org
from daybook_contracts.codes import Code
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.commands.registry import COMMANDS
from daybook_contracts.senders.principals import Principal, Service, parse_principal
from support.given import ORG, Given, Outcome
from support.matrix import MAY, OUTSIDE, Actor, Cell, Verdict, cells, verdict
from support.matrix_rows import ROWS, Row
from support.matrix_scene import PEOPLE, Scene, person
from support.publisher import Send

SCENE = Scene(ORG)
KNOWN = frozenset(person(name) for name in PEOPLE)
CELLS = cells()
OF_USERS = [cell for cell in CELLS if cell.actor not in {Actor.SERVICE, Actor.FOR_OWNER}]
LOADER = Service("loader")


def decided(org: Org | None, send: Send, principal: Principal) -> Outcome:
    known = {name: value for name, value in send.command.items() if value is not None}
    return Given(org, KNOWN).when(parse_command(json.dumps(known).encode()), principal)


@cache
def founded() -> Org:
    org: Org | None = None
    for send in SCENE.founding():
        outcome = decided(org, send, LOADER)
        assert isinstance(outcome.decision, Acceptance), (send, outcome.decision)
        org = outcome.after()
    assert org is not None
    return org


def tried(cell: Cell, principal: Principal | None = None) -> Outcome:
    """By the cell's own principal, or by that one for the same actor."""
    send = SCENE.attempt(cell)
    org = None if cell.row.type in OUTSIDE else founded()
    return decided(org, send, principal or parse_principal(send.principal))


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_each_cell_ends_as_the_table_of_rights_says(cell: Cell) -> None:
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
            pytest.fail("there is no such case")


@pytest.mark.parametrize("cell", OF_USERS, ids=str)
def test_a_service_that_acts_for_a_user_gets_the_users_own_decision(cell: Cell) -> None:
    assert tried(cell, LOADER).decision == tried(cell).decision


@pytest.mark.parametrize("row", [row for row in ROWS if row.type not in OUTSIDE], ids=lambda row: row.type)
def test_what_is_allowed_changes_the_org(row: Row) -> None:
    """So an acceptance here is never one of a command that would change nothing."""
    for variant in range(len(row.commands)):
        outcome = tried(Cell(row, variant, Actor.OWNER))
        assert outcome.after() != outcome.before


def test_every_command_has_its_rows() -> None:
    assert {row.type for row in ROWS} == set(MAY) == set(COMMANDS)


def test_every_actor_and_every_verdict_is_in_the_matrix() -> None:
    assert {cell.actor for cell in CELLS} == set(Actor)
    assert {verdict(cell.row, cell.actor) for cell in CELLS} == set(Verdict)
