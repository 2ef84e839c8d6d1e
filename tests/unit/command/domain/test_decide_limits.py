"""Orgs at their limits: the last member, project, connection and secret reference fit, and one more is rejected."""

import pytest
from immutables import Map
from msgspec.structs import replace

from daybook_command.domain.connections import Connection
from daybook_command.domain.projects import Project
from daybook_command.domain.secret_refs import SecretRef
from daybook_command.domain.state import Org
from daybook_contracts.codes import Code
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import ProjectRole, Role
from daybook_contracts.limits import ORG_CONNECTIONS, ORG_MEMBERS, ORG_PROJECTS, ORG_SECRET_REFS
from support.creations import creation
from support.given import ANN, BOB, EVE, IMPORTER, Given, command, connection, person, project, secret_ref, thing_id_of
from support.hub_scene import connection_created

WEB = project(1)


def org_of(members: int, projects: int) -> Given:
    """`members` counts ANN (the owner) and BOB (a member of the org and an editor of every project) too."""
    people: dict[str, Role] = {person(number): "viewer" for number in range(1000, 1000 + members - 2)}
    people |= {ANN: "owner", BOB: "member"}
    editors = Map[str, ProjectRole](((BOB, "editor"),))
    made = {project(number): Project(name="P", members=editors) for number in range(1, projects + 1)}
    return Given(Org(name="Acme", members=Map(people), owners=1, projects=Map(made)), frozenset({ANN, BOB, EVE}))


@pytest.fixture(scope="module")
def full() -> Given:
    return org_of(ORG_MEMBERS, ORG_PROJECTS)


@pytest.fixture(scope="module")
def almost_full() -> Given:
    return org_of(ORG_MEMBERS - 1, ORG_PROJECTS - 1)


def test_an_org_can_have_the_maximum_number_of_members(almost_full: Given) -> None:
    adding = command("ADD_MEMBER", by=ANN, user_id=EVE, role="viewer")
    after = almost_full.when(adding).then(facts.MemberAdded(user_id=EVE, role="viewer")).after()
    assert len(after.members) == ORG_MEMBERS


def test_a_full_org_rejects_another_member(full: Given) -> None:
    full.when(command("ADD_MEMBER", by=ANN, user_id=EVE, role="viewer")).then_rejected(Code.LIMIT_REACHED)


def test_in_a_full_org_an_existing_member_is_reported_before_the_limit(full: Given) -> None:
    full.when(command("ADD_MEMBER", by=ANN, user_id=BOB, role="viewer")).then_rejected(Code.ALREADY_MEMBER)


def test_an_org_can_have_the_maximum_number_of_projects(almost_full: Given) -> None:
    create = command("CREATE_PROJECT", by=ANN, name="Last")
    outcome = almost_full.when(create)
    after = outcome.then(facts.ProjectCreated(project_id=outcome.context.new_id, name="Last")).after()
    assert len(after.projects) == ORG_PROJECTS


def test_a_full_org_rejects_another_project(full: Given) -> None:
    full.when(command("CREATE_PROJECT", by=ANN, name="One more")).then_rejected(Code.LIMIT_REACHED)


def test_a_full_org_still_accepts_other_commands(full: Given) -> None:
    everywhere = tuple(project(number) for number in range(1, ORG_PROJECTS + 1))
    renamed = full.when(command("RENAME_PROJECT", by=ANN, project_id=WEB, name="New"))
    renamed.then(facts.ProjectRenamed(project_id=WEB, name="New"))
    lowered = full.when(command("UPDATE_MEMBER", by=ANN, user_id=BOB, role="viewer"))
    lowered.then(facts.MemberUpdated(user_id=BOB, role="viewer", project_ids=everywhere))
    removed = full.when(command("REMOVE_MEMBER", by=ANN, user_id=BOB))
    removed.then(facts.MemberRemoved(user_id=BOB, project_ids=everywhere))


def hub_of(connections: int, secret_refs: int) -> Given:
    """ANN's org with one project; its connections name no secrets, and its references are called "key 0" and so on."""
    case = org_of(2, 1)
    assert case.org is not None
    made = {connection(number): Connection(WEB, "sheets", "S", True, frozenset()) for number in range(connections)}
    names = {f"key {number}": secret_ref(number) for number in range(secret_refs)}
    refs = {id_: SecretRef(name, b"") for name, id_ in names.items()}
    org = replace(case.org, connections=Map(made), secret_refs=Map(refs), key_names=Map(names))
    return replace(case, org=org)


CREATE_CONNECTION_COMMAND = command("CREATE_CONNECTION", by=ANN, project_id=WEB, type="sheets", name="S", config={})
CREATE_REF_COMMAND = command("CREATE_SECRET_REF", by=ANN, key_name="one more", secret_id_ref="env:KEY")


def test_an_org_can_have_the_maximum_number_of_connections_and_no_more() -> None:
    made = connection_created(thing_id_of(CREATE_CONNECTION_COMMAND), WEB)
    hub_of(ORG_CONNECTIONS - 1, 0).when(CREATE_CONNECTION_COMMAND).then(made)
    hub_of(ORG_CONNECTIONS, 0).when(CREATE_CONNECTION_COMMAND).then_rejected(Code.LIMIT_REACHED)


def test_an_org_can_have_the_maximum_number_of_secret_references_and_no_more() -> None:
    id_ = thing_id_of(CREATE_REF_COMMAND)
    made = facts.SecretRefCreated(secret_ref_id=id_, key_name="one more", secret_id_ref="env:KEY")
    hub_of(0, ORG_SECRET_REFS - 1).when(CREATE_REF_COMMAND).then(made)
    hub_of(0, ORG_SECRET_REFS).when(CREATE_REF_COMMAND).then_rejected(Code.LIMIT_REACHED)


def test_in_a_full_org_existing_things_are_reported_before_the_limit() -> None:
    full = hub_of(ORG_CONNECTIONS, ORG_SECRET_REFS)
    again = command("CREATE_CONNECTION", ANN, **creation("CREATE_CONNECTION", connection(1)))
    full.when(again, IMPORTER).then_rejected(Code.ALREADY_EXISTS)
    named = command("CREATE_SECRET_REF", ANN, key_name="key 1", secret_id_ref="env:KEY")
    full.when(named).then_rejected(Code.ALREADY_EXISTS)
