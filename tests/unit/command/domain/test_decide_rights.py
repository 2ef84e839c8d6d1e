"""The table of rights, said a second time: every kind of actor tries every command on what each role protects."""

from typing import Any

import pytest

from daybook_command.domain.decision import Acceptance
from daybook_contracts.codes import Code
from daybook_contracts.commands.registry import COMMANDS
from daybook_contracts.senders.principals import DAYBOOK
from support.company import (
    ACTORS,
    ADMIN,
    ADMINS,
    APP,
    FOUNDED,
    IN_PROJECT,
    MEMBER,
    NEWCOMER,
    OTHER_ADMIN,
    OTHER_MEMBER,
    OTHER_OWNER,
    OTHER_VIEWER,
    OWNERS,
    PROJECT_ADMIN,
    PROJECT_ADMINS,
    PROJECT_EDITOR,
    PROJECT_ROLES,
    STRANGERS,
    VIEWER,
    WEB,
)
from support.given import command, given
from support.hub_deeds import HUB, HUB_DEEDS
from support.matrix import MAY

COMPANY = given(*FOUNDED, *HUB)

DEEDS: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "rename the org": ("RENAME_ORG", {"name": "New"}, ADMINS),
    "give the org the name it has": ("RENAME_ORG", {"name": "Acme"}, ADMINS),
    "add an owner": ("ADD_MEMBER", {"user_id": NEWCOMER, "role": "owner"}, OWNERS),
    "add an admin": ("ADD_MEMBER", {"user_id": NEWCOMER, "role": "admin"}, OWNERS),
    "add a member": ("ADD_MEMBER", {"user_id": NEWCOMER, "role": "member"}, ADMINS),
    "add a viewer": ("ADD_MEMBER", {"user_id": NEWCOMER, "role": "viewer"}, ADMINS),
    "make a viewer a member": ("UPDATE_MEMBER", {"user_id": OTHER_VIEWER, "role": "member"}, ADMINS),
    "make a member a viewer": ("UPDATE_MEMBER", {"user_id": OTHER_MEMBER, "role": "viewer"}, ADMINS),
    "leave a member as it is": ("UPDATE_MEMBER", {"user_id": OTHER_MEMBER, "role": "member"}, ADMINS),
    "make a member an admin": ("UPDATE_MEMBER", {"user_id": OTHER_MEMBER, "role": "admin"}, OWNERS),
    "make a member an owner": ("UPDATE_MEMBER", {"user_id": OTHER_MEMBER, "role": "owner"}, OWNERS),
    "make an admin a member": ("UPDATE_MEMBER", {"user_id": OTHER_ADMIN, "role": "member"}, OWNERS),
    "leave an admin as it is": ("UPDATE_MEMBER", {"user_id": OTHER_ADMIN, "role": "admin"}, OWNERS),
    "make an owner a viewer": ("UPDATE_MEMBER", {"user_id": OTHER_OWNER, "role": "viewer"}, OWNERS),
    "remove a viewer": ("REMOVE_MEMBER", {"user_id": OTHER_VIEWER}, ADMINS),
    "remove a member": ("REMOVE_MEMBER", {"user_id": OTHER_MEMBER}, ADMINS),
    "remove an admin": ("REMOVE_MEMBER", {"user_id": OTHER_ADMIN}, OWNERS),
    "remove an owner": ("REMOVE_MEMBER", {"user_id": OTHER_OWNER}, OWNERS),
    "create a project": ("CREATE_PROJECT", {"name": "New"}, ADMINS),
    "rename a project": ("RENAME_PROJECT", {"project_id": WEB, "name": "New"}, PROJECT_ADMINS),
    "rename another project": ("RENAME_PROJECT", {"project_id": APP, "name": "New"}, ADMINS),
    "give a project the name it has": ("RENAME_PROJECT", {"project_id": WEB, "name": "Web"}, PROJECT_ADMINS),
    "add a project admin": (
        "ADD_PROJECT_MEMBER",
        {"project_id": WEB, "user_id": OTHER_MEMBER, "role": "admin"},
        PROJECT_ADMINS,
    ),
    "add to another project": (
        "ADD_PROJECT_MEMBER",
        {"project_id": APP, "user_id": OTHER_MEMBER, "role": "viewer"},
        ADMINS,
    ),
    "give a project member another role": (
        "UPDATE_PROJECT_MEMBER",
        {"project_id": WEB, "user_id": IN_PROJECT, "role": "viewer"},
        PROJECT_ADMINS,
    ),
    "leave a project member as it is": (
        "UPDATE_PROJECT_MEMBER",
        {"project_id": WEB, "user_id": IN_PROJECT, "role": "editor"},
        PROJECT_ADMINS,
    ),
    "remove a project member": ("REMOVE_PROJECT_MEMBER", {"project_id": WEB, "user_id": IN_PROJECT}, PROJECT_ADMINS),
} | HUB_DEEDS


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("actor", ACTORS)
def test_whoever_sees_the_org_may_do_what_the_table_says_and_nothing_else(actor: str, deed: str) -> None:
    by, principal = ACTORS[actor]
    type_, data, allowed = DEEDS[deed]
    outcome = COMPANY.when(command(type_, by=by, **data), principal)
    if actor in allowed:
        assert isinstance(outcome.decision, Acceptance)
    else:
        outcome.then_rejected(Code.FORBIDDEN)


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("actor", STRANGERS)
def test_to_a_stranger_the_org_does_not_exist_whatever_it_tries(actor: str, deed: str) -> None:
    by, principal = STRANGERS[actor]
    type_, data, _ = DEEDS[deed]
    on_a_real_org = COMPANY.when(command(type_, by=by, **data), principal)
    on_no_org = given().when(command(type_, by=by, **data), principal)
    assert on_a_real_org.then_rejected(Code.ORG_NOT_FOUND).decision == on_no_org.decision


@pytest.mark.parametrize("deed", DEEDS)
def test_a_service_that_names_an_unused_org_id_finds_no_org(deed: str) -> None:
    type_, data, _ = DEEDS[deed]
    given().when(command(type_, **data)).then_rejected(Code.ORG_NOT_FOUND)


@pytest.mark.parametrize("actor", [name for name, (by, _) in ACTORS.items() if by is not None])
def test_anybody_may_leave_the_org(actor: str) -> None:
    by, principal = ACTORS[actor]
    assert by is not None
    after = COMPANY.when(command("REMOVE_MEMBER", by=by, user_id=by), principal).after()
    assert by not in after.members


@pytest.mark.parametrize("user_id", PROJECT_ROLES)
def test_anybody_may_leave_a_project(user_id: str) -> None:
    after = COMPANY.when(command("REMOVE_PROJECT_MEMBER", by=user_id, project_id=WEB, user_id=user_id)).after()
    assert user_id not in after.projects[WEB].members


@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
def test_an_admin_cannot_touch_itself_but_by_leaving(role: str) -> None:
    COMPANY.when(command("UPDATE_MEMBER", by=ADMIN, user_id=ADMIN, role=role)).then_rejected(Code.FORBIDDEN)


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_an_admin_that_adds_an_owner_again_as_less_is_forbidden_to(role: str) -> None:
    COMPANY.when(command("ADD_MEMBER", by=ADMIN, user_id=OTHER_OWNER, role=role)).then_rejected(Code.FORBIDDEN)


@pytest.mark.parametrize("user_id", [MEMBER, VIEWER, PROJECT_ADMIN])
def test_nobody_below_admin_may_raise_itself(user_id: str) -> None:
    COMPANY.when(command("UPDATE_MEMBER", by=user_id, user_id=user_id, role="admin")).then_rejected(Code.FORBIDDEN)


def test_a_member_may_not_raise_itself_in_a_project() -> None:
    raising = command("UPDATE_PROJECT_MEMBER", by=PROJECT_EDITOR, project_id=WEB, user_id=PROJECT_EDITOR, role="admin")
    COMPANY.when(raising).then_rejected(Code.FORBIDDEN)


@pytest.mark.parametrize("deed", ["complete a sync", "fail a sync"])
def test_daybook_itself_has_the_rights_of_a_service(deed: str) -> None:
    type_, data, _ = DEEDS[deed]
    assert isinstance(COMPANY.when(command(type_, **data), DAYBOOK).decision, Acceptance)


def test_every_command_has_its_row_in_the_table_of_rights_and_is_tried_here() -> None:
    assert set(MAY) == set(COMMANDS)
    assert {type_ for type_, _, _ in DEEDS.values()} | {"REGISTER_USER", "CREATE_ORG"} == set(MAY)
