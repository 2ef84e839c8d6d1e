"""A short log of one partition in which one entry is altered, the changes that a forger could make to the entry, and
the finding about it.
"""

import json
from collections.abc import Callable
from typing import Any

from daybook_contracts.entries import facts
from daybook_projector.audit.checks.chain import Chain
from support.chain import Json, commit_hash, entry_hash, entry_id, jcs
from support.logbook import Logbook, org, project, user

ORG, ANN, BOB = org(1), user(1), user(2)
ALTERED = 2
"""The position of the entry that is altered by default: it creates a project."""

LENGTH = 5

Change = Callable[[Json], None]


def a_log() -> list[bytes]:
    log = Logbook()
    log.register(ANN)
    log.add(ORG, ANN, facts.OrgCreated(name="a"), facts.ProjectCreated(name="b", project_id=project(1)))
    log.add(ORG, ANN, facts.OrgRenamed(name="c"))
    log.refuse(ORG, ANN, "ADD_MEMBER", BOB, {"user_id": BOB})
    return [value for value in log.records[0] if value is not None]


def altered(*changes: Change, sealed: bool = False, at: int = ALTERED) -> list[bytes]:
    """The log with one entry changed. With `sealed`, the hashes of this and all later entries are computed again."""
    values = a_log()
    entry = json.loads(values[at])
    for change in changes:
        change(entry)
    values[at] = jcs(entry)
    return resealed(values, at) if sealed else values


def resealed(values: list[bytes], start: int) -> list[bytes]:
    """Recomputes the hashes of the entry at `start` and of all later ones, and the `prev` of the later ones."""
    prev = None
    for at in range(start, len(values)):
        entry = json.loads(values[at])
        if prev is not None:
            entry["metadata_json"]["prev"] = prev
        entry["metadata_json"]["hash"] = prev = entry_hash(entry)
        values[at] = jcs(entry)
    return values


def in_metadata(**members: Any) -> Change:
    return lambda entry: entry["metadata_json"].update(members)


def in_columns(**members: Any) -> Change:
    return lambda entry: entry.update(members)


def without(name: str) -> Change:
    """Removes a column, or a member of the metadata if the name starts with a dot."""

    def change(entry: Json) -> None:
        del (entry["metadata_json"] if name.startswith(".") else entry)[name.removeprefix(".")]

    return change


def with_other_data(data: Any) -> Change:
    def change(entry: Json) -> None:
        metadata = entry["metadata_json"]
        metadata["data"] = data
        metadata["commit"] = commit_hash(metadata["salt"], data)

    return change


REDACTED = in_metadata(data=None, salt=None)


def finding_at(position: int, values: list[bytes]) -> Json:
    """The finding about the entry at this position, without its place, which is checked here."""
    chain = Chain(0, "export")
    found = [chain.follow(-1, value).finding for value in values][position]
    assert found is not None
    said = found.as_json()
    place = {name: said.pop(name) for name in ("place", "partition", "position")}
    assert place == {"place": "export", "partition": 0, "position": position}
    return said


def finding(*changes: Change, sealed: bool = True) -> Json:
    """The finding about the altered entry, without its place and its id."""
    said = finding_at(ALTERED, altered(*changes, sealed=sealed))
    said.pop("id", None)
    return said


def in_scope(scope: str, actor: str | None = None, key: str = ORG) -> Change:
    """Puts the entry into this scope, and recomputes its id."""

    def change(entry: Json) -> None:
        metadata = entry["metadata_json"]
        metadata |= {"scope": scope, "key": key}
        entry["id"] = entry_id(key, metadata["command_id"], metadata["ordinal"], scope, actor)

    return change


FAILED = (in_columns(result="failure"), in_metadata(error={"code": "FORBIDDEN", "detail": "No."}))
