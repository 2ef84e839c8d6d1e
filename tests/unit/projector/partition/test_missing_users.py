"""Which users a batch needs in `auth.users`, and where a batch is cut to wait for a missing one."""

from daybook_contracts.entries import facts
from daybook_contracts.log.head import NOTHING_PROJECTED
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.partition.machine import PartitionLog, start_of_command
from daybook_projector.partition.missing_users import RequiredUser, first_absent, required_users
from support.logbook import Logbook, org, project, records, user

ORG, ANN, BOB, CAT = org(1), user(1), user(2), user(3)


def entries(log: Logbook) -> tuple[PartitionEntry, ...]:
    partition = PartitionLog(0, NOTHING_PROJECTED, partitions=1)
    partition.take(records(log.records[0]))
    batch = partition.next_batch(100)
    assert batch is not None
    return batch.entries


def test_actors_and_new_members_are_needed_from_the_first_entry_that_names_them() -> None:
    log = Logbook()
    log.add(ORG, ANN, facts.OrgCreated(name="a"))
    log.add(ORG, ANN, facts.MemberAdded(role="admin", user_id=BOB))
    log.add(ORG, ANN, facts.ProjectMemberAdded(role="admin", user_id=CAT, project_id=project(1)))
    assert list(required_users(entries(log)).values()) == [
        RequiredUser(0, ANN, is_actor=True),
        RequiredUser(1, BOB, is_actor=False),
        RequiredUser(2, CAT, is_actor=False),
    ]


def test_a_user_registered_by_the_same_or_an_earlier_entry_is_not_needed() -> None:
    log = Logbook()
    log.register(ANN)
    log.add(ORG, ANN, facts.OrgCreated(name="a"))
    assert list(required_users(entries(log)).values()) == []


def test_a_user_registered_by_a_later_entry_is_needed() -> None:
    log = Logbook()
    log.add(ORG, ANN, facts.OrgCreated(name="a"))
    log.register(ANN)
    assert list(required_users(entries(log)).values()) == [RequiredUser(0, ANN, is_actor=True)]


def test_a_service_without_an_actor_needs_no_user() -> None:
    log = Logbook()
    log.add(ORG, None, facts.OrgRenamed(name="b"))
    assert list(required_users(entries(log)).values()) == []


def test_changing_or_removing_a_member_needs_only_the_actor() -> None:
    log = Logbook()
    log.add(ORG, ANN, facts.MemberUpdated(role="admin", user_id=BOB))
    log.add(ORG, ANN, facts.MemberRemoved(user_id=BOB, project_ids=()))
    assert list(required_users(entries(log))) == [ANN]


def test_a_rejected_command_needs_only_the_actor() -> None:
    log = Logbook()
    log.refuse(ORG, ANN, "ADD_MEMBER", BOB, {"user_id": BOB, "role": "admin"})
    assert list(required_users(entries(log)).values()) == [RequiredUser(0, ANN, is_actor=True)]


def test_a_poison_entry_needs_only_the_actor() -> None:
    log = Logbook()
    log.add(ORG, ANN, facts.MemberAdded(role="admin", user_id=BOB), id=project(9))
    assert list(required_users(entries(log)).values()) == [RequiredUser(0, ANN, is_actor=True)]


def test_a_poison_registration_registers_no_user() -> None:
    log = Logbook()
    log.add(None, None, facts.UserRegistered(user_id=BOB), id=project(9))
    log.add(ORG, BOB, facts.OrgCreated(name="a"))
    assert list(required_users(entries(log)).values()) == [RequiredUser(1, BOB, is_actor=True)]


def test_the_first_entry_that_names_a_missing_user_is_found() -> None:
    log = Logbook()
    log.add(ORG, ANN, facts.OrgCreated(name="a"))
    log.add(ORG, ANN, facts.OrgRenamed(name="b"), facts.MemberAdded(role="admin", user_id=BOB))
    batch = entries(log)
    required = required_users(batch)
    assert first_absent(required, set()) is None
    assert first_absent(required, {CAT}) is None
    assert first_absent(required, {BOB}) == RequiredUser(2, BOB, is_actor=False)
    assert start_of_command(batch, 2) == 1
