"""Every rejection of the deciders, with its sentence for people. No ids: a stranger's answer must not differ by org."""

from dataclasses import replace
from typing import Final

from daybook_command.domain.decision import Rejected
from daybook_contracts.codes import Code
from daybook_contracts.limits import ORG_CONNECTIONS, ORG_MEMBERS, ORG_PROJECTS, ORG_SECRET_REFS, RETRY_COUNT

ORG_NOT_FOUND: Final = Rejected(Code.ORG_NOT_FOUND, "there is no such org")
USER_NOT_FOUND: Final = Rejected(Code.USER_NOT_FOUND, "there is no such user")
MEMBER_NOT_FOUND: Final = Rejected(Code.MEMBER_NOT_FOUND, "the user is no member of this org")
PROJECT_MEMBER_NOT_FOUND: Final = Rejected(Code.MEMBER_NOT_FOUND, "the user is no member of this project")
PROJECT_NOT_FOUND: Final = Rejected(Code.PROJECT_NOT_FOUND, "there is no such project in this org")
CONNECTION_NOT_FOUND: Final = Rejected(Code.CONNECTION_NOT_FOUND, "there is no such connection in this org")
SECRET_REF_NOT_FOUND: Final = Rejected(Code.SECRET_REF_NOT_FOUND, "there is no such secret reference in this org")
KEY_NAME_NOT_FOUND: Final = Rejected(
    Code.SECRET_REF_NOT_FOUND, "the config names a secret reference that this org has not"
)
NOT_IN_PROJECT: Final = Rejected(Code.CONNECTION_NOT_FOUND, "there is no such connection in this project")
SYNC_RUN_NOT_FOUND: Final = Rejected(Code.SYNC_RUN_NOT_FOUND, "there is no such sync run in this org")
DLQ_EVENT_NOT_FOUND: Final = Rejected(Code.DLQ_EVENT_NOT_FOUND, "there is no such dead letter in this org")
NOT_OF_CONNECTION: Final = Rejected(Code.DLQ_EVENT_NOT_FOUND, "not all of these are dead letters of this connection")
ALERT_NOT_FOUND: Final = Rejected(Code.ALERT_NOT_FOUND, "there is no such alert in this org")

FORBIDDEN: Final = Rejected(Code.FORBIDDEN, "the actor has no right to do this")
CHOSEN_ID: Final = Rejected(Code.FORBIDDEN, "only a service may choose the id of what it creates")
ORG_VIEWER: Final = Rejected(Code.FORBIDDEN, "a viewer of the org can only be a viewer in its projects")
EXTERNAL_USERS: Final = Rejected(Code.FORBIDDEN, "users are registered with the identity provider")

ORG_EXISTS: Final = Rejected(Code.ALREADY_EXISTS, "an org with this id exists already")
ID_TAKEN: Final = Rejected(Code.ALREADY_EXISTS, "the chosen id is taken already")
KEY_NAME_TAKEN: Final = Rejected(Code.ALREADY_EXISTS, "a secret reference of this org has this key_name already")
ALREADY_MEMBER: Final = Rejected(Code.ALREADY_MEMBER, "the user is a member of this org already")
ALREADY_PROJECT_MEMBER: Final = Rejected(Code.ALREADY_MEMBER, "the user is a member of this project already")
LAST_OWNER: Final = Rejected(Code.LAST_OWNER, "an org needs an owner, and this is its last one")
CONNECTION_INACTIVE: Final = Rejected(Code.CONNECTION_INACTIVE, "the connection is inactive")
SYNC_ALREADY_RUNNING: Final = Rejected(Code.SYNC_ALREADY_RUNNING, "a sync of this connection is running")
SYNC_NOT_RUNNING: Final = Rejected(Code.SYNC_NOT_RUNNING, "the sync run has ended already")
DLQ_EVENT_RESOLVED: Final = Rejected(Code.DLQ_EVENT_RESOLVED, "the dead letter is resolved already")
SECRET_REF_IN_USE: Final = Rejected(Code.SECRET_REF_IN_USE, "a connection's config names this secret reference")

INVALID_CONFIG: Final = Rejected(Code.INVALID_CONFIG, "the config does not fit the connection's type")

MEMBERS_LIMIT: Final = Rejected(Code.LIMIT_REACHED, f"an org has at most {ORG_MEMBERS} members")
PROJECTS_LIMIT: Final = Rejected(Code.LIMIT_REACHED, f"an org has at most {ORG_PROJECTS} projects")
RETRIES_LIMIT: Final = Rejected(Code.LIMIT_REACHED, f"a dead letter is retried at most {RETRY_COUNT} times")
CONNECTIONS_LIMIT: Final = Rejected(Code.LIMIT_REACHED, f"an org has at most {ORG_CONNECTIONS} connections")
SECRET_REFS_LIMIT: Final = Rejected(Code.LIMIT_REACHED, f"an org has at most {ORG_SECRET_REFS} secret references")


def invalid_config(fault: str) -> Rejected:
    """`fault` names fields and rules, never values."""
    return replace(INVALID_CONFIG, detail=fault)
