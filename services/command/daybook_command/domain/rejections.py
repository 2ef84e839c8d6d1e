"""Every rejection of the deciders, with its sentence for people. No ids: a stranger's answer must not differ by org."""

from typing import Final

from daybook_command.domain.decision import Rejected
from daybook_contracts.codes import Code
from daybook_contracts.limits import ORG_MEMBERS, ORG_PROJECTS

ORG_NOT_FOUND: Final = Rejected(Code.ORG_NOT_FOUND, "there is no such org")
USER_NOT_FOUND: Final = Rejected(Code.USER_NOT_FOUND, "there is no such user")
MEMBER_NOT_FOUND: Final = Rejected(Code.MEMBER_NOT_FOUND, "the user is no member of this org")
PROJECT_MEMBER_NOT_FOUND: Final = Rejected(Code.MEMBER_NOT_FOUND, "the user is no member of this project")
PROJECT_NOT_FOUND: Final = Rejected(Code.PROJECT_NOT_FOUND, "there is no such project in this org")

FORBIDDEN: Final = Rejected(Code.FORBIDDEN, "the actor has no right to do this")
CHOSEN_ID: Final = Rejected(Code.FORBIDDEN, "only a service may choose the id of what it creates")
ORG_VIEWER: Final = Rejected(Code.FORBIDDEN, "a viewer of the org can only be a viewer in its projects")
EXTERNAL_USERS: Final = Rejected(Code.FORBIDDEN, "users are registered with the identity provider")

ORG_EXISTS: Final = Rejected(Code.ALREADY_EXISTS, "an org with this id exists already")
ID_TAKEN: Final = Rejected(Code.ALREADY_EXISTS, "the chosen id is taken already")
ALREADY_MEMBER: Final = Rejected(Code.ALREADY_MEMBER, "the user is a member of this org already")
ALREADY_PROJECT_MEMBER: Final = Rejected(Code.ALREADY_MEMBER, "the user is a member of this project already")
LAST_OWNER: Final = Rejected(Code.LAST_OWNER, "an org needs an owner, and this is its last one")

MEMBERS_LIMIT: Final = Rejected(Code.LIMIT_REACHED, f"an org has at most {ORG_MEMBERS} members")
PROJECTS_LIMIT: Final = Rejected(Code.LIMIT_REACHED, f"an org has at most {ORG_PROJECTS} projects")
