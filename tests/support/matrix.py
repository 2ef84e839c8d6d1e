"""The matrix of rights: the verdict on each command of each actor, as the code's table of rights demands it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from daybook_command.domain.permissions import Standing, Standings
from daybook_command.domain.registry import HANDLERS
from daybook_contracts.commands.registry import COMMANDS
from support.matrix_rows import ROWS, Aim, Row

RIGHTS: Final[Mapping[str, Standings]] = {type_: HANDLERS[model].may for type_, model in COMMANDS.items()}
"""The table of rights, by command type."""

OPEN_TO_NON_MEMBERS: Final = frozenset({"REGISTER_USER", "CREATE_ORG"})
"""The sender of these commands need not be a member of an org."""


class Actor(StrEnum):
    """Project admins, editors and viewers have the role `member` in the org. MEMBER is an admin of another project."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"
    PROJECT_ADMIN = "project admin"
    PROJECT_EDITOR = "project editor"
    PROJECT_VIEWER = "project viewer"
    STRANGER = "stranger"
    SERVICE = "service"
    FOR_OWNER = "service for the owner"


class Verdict(StrEnum):
    ALLOWED = "yes"
    FORBIDDEN = "no"
    ORG_NOT_FOUND = "no org"


@dataclass(frozen=True, slots=True)
class Cell:
    row: Row
    variant: int
    """The index of the command in the row."""
    actor: Actor

    def __str__(self) -> str:
        towards = f" towards {self.row.aim}" if self.row.aim else ""
        return f"{self.actor}: {self.row.type}{towards} {self.row.commands[self.variant]}"


_ROLES: Final[Mapping[Actor, Standing]] = {
    Actor.OWNER: Standing.OWNER,
    Actor.FOR_OWNER: Standing.OWNER,
    Actor.ADMIN: Standing.ADMIN,
    Actor.PROJECT_ADMIN: Standing.PROJECT_ADMIN,
    Actor.PROJECT_EDITOR: Standing.PROJECT_EDITOR,
}


def verdict(row: Row, actor: Actor) -> Verdict | None:
    """What Daybook must say to the actor's command. None: a service without an actor cannot act on itself."""
    if actor is Actor.SERVICE and row.aim is Aim.ONESELF:
        return None
    if actor is Actor.STRANGER and row.type not in OPEN_TO_NON_MEMBERS:
        return Verdict.ORG_NOT_FOUND
    return Verdict.FORBIDDEN if RIGHTS[row.type].isdisjoint(_standings(row, actor)) else Verdict.ALLOWED


def _standings(row: Row, actor: Actor) -> set[Standing]:
    if actor is Actor.SERVICE:
        return {Standing.SERVICE}
    found = {Standing.KNOWN_USER}
    if actor in _ROLES:
        found.add(_ROLES[actor])
    if row.in_lounge:
        found -= {Standing.PROJECT_ADMIN, Standing.PROJECT_EDITOR}
    if row.aim is Aim.ONESELF:
        found.add(Standing.ITSELF)
    if row.aim is Aim.BELOW and actor is Actor.ADMIN:
        found.add(Standing.ADMIN_ABOVE)
    return found


def cells(rows: Iterable[Row] = ROWS) -> list[Cell]:
    """One cell for each command of each row and each actor who can send it."""
    return [
        Cell(row, variant, actor)
        for row in rows
        for variant in range(len(row.commands))
        for actor in Actor
        if verdict(row, actor) is not None
    ]
