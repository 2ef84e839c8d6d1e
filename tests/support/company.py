"""An org with somebody in every role, and who they all are to it. PROJECT_… are in WEB, nobody is in APP."""

from daybook_contracts.entries.facts import MemberAdded, OrgCreated, ProjectCreated, ProjectMemberAdded, UserRegistered
from daybook_contracts.entries.fields import Fact, ProjectRole, Role
from daybook_contracts.senders.principals import Principal, User
from support.given import ANN, EVE, IMPORTER, NOBODY, person, project

ADMIN, MEMBER, VIEWER, PROJECT_ADMIN, PROJECT_EDITOR, PROJECT_VIEWER = (person(number) for number in range(11, 17))
OTHER_OWNER, OTHER_ADMIN, OTHER_MEMBER, OTHER_VIEWER, IN_PROJECT, NEWCOMER = (
    person(number) for number in range(21, 27)
)
WEB, APP = project(1), project(2)

ROLES: dict[str, Role] = {
    ADMIN: "admin",
    MEMBER: "member",
    VIEWER: "viewer",
    PROJECT_ADMIN: "member",
    PROJECT_EDITOR: "member",
    PROJECT_VIEWER: "viewer",
    OTHER_OWNER: "owner",
    OTHER_ADMIN: "admin",
    OTHER_MEMBER: "member",
    OTHER_VIEWER: "viewer",
    IN_PROJECT: "member",
}
PROJECT_ROLES: dict[str, ProjectRole] = {
    PROJECT_ADMIN: "admin",
    PROJECT_EDITOR: "editor",
    PROJECT_VIEWER: "viewer",
    IN_PROJECT: "editor",
}

FOUNDED: tuple[Fact, ...] = (
    UserRegistered(user_id=NEWCOMER),
    OrgCreated(name="Acme"),
    *(MemberAdded(user_id=user_id, role=role) for user_id, role in ROLES.items()),
    ProjectCreated(project_id=WEB, name="Web"),
    ProjectCreated(project_id=APP, name="App"),
    *(ProjectMemberAdded(project_id=WEB, user_id=user_id, role=role) for user_id, role in PROJECT_ROLES.items()),
)

ACTORS: dict[str, tuple[str | None, Principal]] = {
    "owner": (ANN, User(ANN)),
    "admin": (ADMIN, User(ADMIN)),
    "member": (MEMBER, User(MEMBER)),
    "viewer": (VIEWER, User(VIEWER)),
    "project admin": (PROJECT_ADMIN, User(PROJECT_ADMIN)),
    "project editor": (PROJECT_EDITOR, User(PROJECT_EDITOR)),
    "project viewer": (PROJECT_VIEWER, User(PROJECT_VIEWER)),
    "service": (None, IMPORTER),
    "service for the owner": (ANN, IMPORTER),
    "service for the admin": (ADMIN, IMPORTER),
    "service for the project admin": (PROJECT_ADMIN, IMPORTER),
    "service for a member": (MEMBER, IMPORTER),
}
STRANGERS: dict[str, tuple[str | None, Principal]] = {
    "stranger": (EVE, User(EVE)),
    "unknown user": (NOBODY, User(NOBODY)),
    "service for a stranger": (EVE, IMPORTER),
    "service for an unknown user": (NOBODY, IMPORTER),
    "user who names no actor": (None, User(ANN)),
}

OWNERS = {"owner", "service for the owner"}
ADMINS = OWNERS | {"admin", "service for the admin"}
PROJECT_ADMINS = ADMINS | {"project admin", "service for the project admin"}
PROJECT_EDITORS = PROJECT_ADMINS | {"project editor"}
