"""Poison entries, which cannot be projected. Each belongs to an otherwise healthy org; the log has a second org."""

import json
from collections.abc import Callable
from random import Random

from msgspec import structs

from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import free_json
from support.entries_by_hand import changed, with_member
from support.hub_scene import connection_created
from support.logbook import Logbook, Place, log_with, org, project, thing, user

ORG, OTHER_ORG, ANN, BOB = org(1), org(2), user(1), user(2)
"""ORG gets the poison entry, if there is one; OTHER_ORG gets none."""
WRONG_ID = project(99)

Poisoning = Callable[[Logbook], Place]


def founded() -> Logbook:
    return log_with(ORG, OTHER_ORG, users=(ANN, BOB))


def a_wrong_id(log: Logbook) -> Place:
    return log.add(ORG, ANN, facts.OrgRenamed(name="poison"), id=WRONG_ID)[0]


def an_unknown_action(log: Logbook) -> Place:
    return log.add(ORG, ANN, facts.OrgRenamed(name="poison"), action="DANCE")[0]


def an_unknown_version(log: Logbook) -> Place:
    return with_a_member(log, ".v", 2)


def an_unknown_member_with_a_huge_name(log: Logbook) -> Place:
    return with_a_member(log, "a\0" + "b" * 1_000_000, None)


def a_huge_number_of_entries(log: Logbook) -> Place:
    return with_a_member(log, ".entries", 2**53 - 1)


def an_ordinal_of_33_bits(log: Logbook) -> Place:
    return with_a_member(log, ".ordinal", 2**32)


def with_a_member(log: Logbook, name: str, member: object) -> Place:
    place = log.add(ORG, ANN, facts.OrgRenamed(name="poison"))[0]
    value = changed(log.records[place.partition].pop() or b"", with_member(name, member))
    head = structs.replace(log.heads[place.partition], hash=json.loads(value)["metadata_json"]["hash"])
    return log.append_value(place.partition, value, head, place.id)


def a_name_too_long_for_an_index(log: Logbook) -> Place:
    name = Random(1).randbytes(8000).hex()
    return log.add(ORG, ANN, facts.SecretRefCreated(secret_ref_id=thing(1), key_name=name, secret_id_ref="env:A"))[0]


def data_that_does_not_fit(log: Logbook) -> Place:
    return log.add(ORG, ANN, facts.OrgRenamed(name="poison"), data=b'{"nom":"poison"}')[0]


def a_row_that_is_not_there(log: Logbook) -> Place:
    return log.add(ORG, ANN, facts.MemberUpdated(role="admin", user_id=BOB))[0]


def a_row_that_is_there_already(log: Logbook) -> Place:
    return log.add(ORG, ANN, facts.MemberAdded(role="admin", user_id=ANN))[0]


def a_member_of_no_project(log: Logbook) -> Place:
    return log.add(
        ORG, ANN, facts.ProjectMemberAdded(project_id=project(9), role="admin", user_id=BOB), project_id=None
    )[0]


def a_second_org_with_its_id(log: Logbook) -> Place:
    return log.add(ORG, ANN, facts.OrgCreated(name="poison"))[0]


def a_deletion_of_a_missing_row(log: Logbook) -> Place:
    return log.add(ORG, ANN, facts.SecretRefDeleted(secret_ref_id=thing(9)))[0]


def a_dead_letter_of_no_connection(log: Logbook) -> Place:
    return log.add(ORG, ANN, letter(thing(9)))[0]


def a_run_that_is_there_already(log: Logbook) -> Place:
    started = facts.SyncStarted(connection_id=thing(1), sync_run_id=thing(2))
    connect(log)
    log.add(ORG, ANN, started)
    return log.add(ORG, ANN, started)[0]


def a_run_of_a_deleted_connection(log: Logbook) -> Place:
    connect(log)
    log.add(ORG, ANN, facts.SyncStarted(connection_id=thing(1), sync_run_id=thing(2)))
    log.add(ORG, ANN, facts.ConnectionDeleted(connection_id=thing(1)))
    return log.add(ORG, ANN, facts.SyncCompleted(connection_id=thing(1), sync_run_id=thing(2)))[0]


def a_count_beyond_its_column(log: Logbook) -> Place:
    connect(log)
    log.add(ORG, ANN, letter(thing(1)))
    retried = facts.DlqEventRetried(connection_id=thing(1), dlq_event_id=thing(3), retry_count=2**31)
    return log.add(ORG, ANN, retried)[0]


def a_taken_key_name(log: Logbook) -> Place:
    first, second = (
        facts.SecretRefCreated(secret_ref_id=thing(n), key_name="a", secret_id_ref="env:A") for n in (1, 2)
    )
    log.add(ORG, ANN, first)
    return log.add(ORG, ANN, second)[0]


def connect(log: Logbook) -> None:
    """Adds a project with a connection to ORG."""
    log.add(ORG, ANN, facts.ProjectCreated(name="later", project_id=project(3)))
    log.add(ORG, ANN, connection_created(thing(1), project(3)))


def letter(connection_id: str) -> facts.DlqEventRecorded:
    return facts.DlqEventRecorded(connection_id=connection_id, dlq_event_id=thing(3), payload=free_json(None))


def busy() -> Logbook:
    """A log that gives ORG rows in every table. The entries after the rename to `unknown` insert, update and delete
    rows.
    """
    log = founded()
    connect(log)
    made = facts.SecretRefCreated(secret_ref_id=thing(7), key_name="a", secret_id_ref="env:A")
    raised = facts.AlertRaised(alert_id=thing(8), project_id=project(3), severity="info", message="a")
    started = facts.SyncStarted(connection_id=thing(1), sync_run_id=thing(2))
    joined = facts.ProjectMemberAdded(project_id=project(3), role="admin", user_id=ANN)
    log.add(ORG, ANN, made, raised, started, joined, letter(thing(1)))
    log.add(ORG, ANN, facts.OrgRenamed(name="unknown"))
    log.add(ORG, ANN, facts.SyncCompleted(connection_id=thing(1), sync_run_id=thing(2)))
    log.add(ORG, ANN, facts.SecretRefDeleted(secret_ref_id=thing(7)))
    log.add(ORG, ANN, facts.SecretRefCreated(secret_ref_id=thing(9), key_name="a", secret_id_ref="env:B"))
    log.add(ORG, ANN, facts.AlertResolved(alert_id=thing(8)))
    log.add(ORG, ANN, facts.ProjectMemberUpdated(project_id=project(3), role="viewer", user_id=ANN))
    log.add(
        ORG, ANN, facts.MemberAdded(role="member", user_id=BOB), facts.ConnectionDeactivated(connection_id=thing(1))
    )
    log.add(ORG, ANN, facts.DlqEventResolved(connection_id=thing(1), dlq_event_id=thing(3), resolution="manual"))
    log.add(ORG, ANN, facts.ProjectCreated(name="late", project_id=project(4)))
    log.add(ORG, ANN, facts.ProjectRenamed(name="later", project_id=project(4)))
    return log


POISONS: list[Poisoning] = [
    a_wrong_id,
    an_unknown_action,
    a_deletion_of_a_missing_row,
    a_dead_letter_of_no_connection,
    a_run_that_is_there_already,
    a_run_of_a_deleted_connection,
    a_count_beyond_its_column,
    a_taken_key_name,
    an_unknown_version,
    an_unknown_member_with_a_huge_name,
    a_huge_number_of_entries,
    an_ordinal_of_33_bits,
    a_name_too_long_for_an_index,
    data_that_does_not_fit,
    a_row_that_is_not_there,
    a_row_that_is_there_already,
    a_member_of_no_project,
    a_second_org_with_its_id,
]
