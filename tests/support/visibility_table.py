"""Turns what users have seen into the table of docs/reading.md, with a line for each pair of roles and a column for
each table. Neighbouring lines that are equal are merged, and so are neighbouring columns.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import groupby
from typing import TypeVar

from support.visibility import ORG_ROLES, PLACES, PROJECT_ROLES, Seen

K = TypeVar("K")
Roles = tuple[str | None, str | None]
Line = tuple[str, str, tuple[str, ...]]


def visibility_table(measured: Mapping[Roles, Seen], others: Mapping[str, Seen]) -> str:
    """`measured`: what users have seen, by their roles in the org and in the project. `others`: what others have seen,
    by name.
    """
    cells = {roles: _cells(seen) for roles, seen in measured.items()}
    lines = [*_lines(cells), *((name, "", _cells(seen)) for name, seen in others.items())]
    columns = _grouped(range(len(PLACES)), lambda at: tuple(cells[at] for _, _, cells in lines))
    tables = [", ".join(f"`{list(PLACES)[at]}`" for at in column) for column in columns]
    head = ["role in the org", "role in the project", *tables]
    rows = [[name, project, *(cells[column[0]] for column in columns)] for name, project, cells in lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)).replace("|  |", "| |")


def _lines(cells: Mapping[Roles, tuple[str, ...]]) -> Iterable[Line]:
    """Leaves out users without a role in the org: they cannot have one in a project, and the `others` have a line for
    them.
    """
    blocks = {org_role: _block(org_role, cells) for org_role in ORG_ROLES if org_role is not None}
    for org_roles in _grouped(blocks, blocks.__getitem__):
        for project_roles, block_cells in blocks[org_roles[0]]:
            yield ", ".join(org_roles), project_roles, block_cells


def _block(org_role: str, cells: Mapping[Roles, tuple[str, ...]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    grouped = _grouped(PROJECT_ROLES, lambda role: cells[org_role, role])
    return tuple(
        (
            "any or none" if len(same) == len(PROJECT_ROLES) else ", ".join(role or "none" for role in same),
            cells[org_role, same[0]],
        )
        for same in grouped
    )


def _grouped(keys: Iterable[K], look: Callable[[K], Hashable]) -> list[list[K]]:
    return [list(same) for _, same in groupby(keys, key=look)]


def _cells(seen: Seen) -> tuple[str, ...]:
    return tuple(_cell(frozenset(seen[table])) for table in PLACES)


def _cell(scopes: frozenset[str]) -> str:
    if "foreign" in scopes:
        return "all"
    return "of the org" if "org" in scopes else "of the project" if scopes else "none"
