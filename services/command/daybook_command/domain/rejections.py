"""Every rejection of the deciders. A `detail` is sent only with the first answer to a command; the entry, and every
other answer, has the code's sentence.

A detail never contains an id, because the answer to an outsider must reveal nothing about the org.
"""

from typing import Final

from daybook_command.domain.decision import Rejection
from daybook_contracts.codes import Code
from daybook_contracts.limits import ORG_CONNECTIONS, ORG_MEMBERS, ORG_PROJECTS, ORG_SECRET_REFS, RETRY_COUNT

ORG_NOT_FOUND: Final = Rejection(Code.ORG_NOT_FOUND)
USER_NOT_FOUND: Final = Rejection(Code.USER_NOT_FOUND)
MEMBER_NOT_FOUND: Final = Rejection(Code.MEMBER_NOT_FOUND)
PROJECT_MEMBER_NOT_FOUND: Final = Rejection(Code.MEMBER_NOT_FOUND, "The user is not a member of this project.")
PROJECT_NOT_FOUND: Final = Rejection(Code.PROJECT_NOT_FOUND)
CONNECTION_NOT_FOUND: Final = Rejection(Code.CONNECTION_NOT_FOUND)
SECRET_REF_NOT_FOUND: Final = Rejection(Code.SECRET_REF_NOT_FOUND)
KEY_NAME_NOT_FOUND: Final = Rejection(
    Code.SECRET_REF_NOT_FOUND, "The config names a secret reference that this org does not have."
)
CONNECTION_NOT_IN_PROJECT: Final = Rejection(Code.CONNECTION_NOT_FOUND, "There is no such connection in this project.")
SYNC_RUN_NOT_FOUND: Final = Rejection(Code.SYNC_RUN_NOT_FOUND)
DLQ_EVENT_NOT_FOUND: Final = Rejection(Code.DLQ_EVENT_NOT_FOUND)
LETTER_NOT_OF_CONNECTION: Final = Rejection(
    Code.DLQ_EVENT_NOT_FOUND, "Not all of these are dead letters of this connection."
)
ALERT_NOT_FOUND: Final = Rejection(Code.ALERT_NOT_FOUND)

FORBIDDEN: Final = Rejection(Code.FORBIDDEN)
ONLY_SERVICES_CHOOSE_IDS: Final = Rejection(Code.FORBIDDEN, "Only a service may choose the id of what it creates.")
ORG_VIEWERS_ONLY_VIEW: Final = Rejection(Code.FORBIDDEN, "A viewer of the org can only be a viewer in its projects.")
USERS_ARE_EXTERNAL: Final = Rejection(Code.FORBIDDEN, "Users are registered with the identity provider.")

ORG_EXISTS: Final = Rejection(Code.ALREADY_EXISTS, "An org with this id exists already.")
ID_TAKEN: Final = Rejection(Code.ALREADY_EXISTS, "The chosen id is taken already.")
KEY_NAME_TAKEN: Final = Rejection(Code.ALREADY_EXISTS, "A secret reference of this org has this key_name already.")
ALREADY_MEMBER: Final = Rejection(Code.ALREADY_MEMBER)
ALREADY_PROJECT_MEMBER: Final = Rejection(Code.ALREADY_MEMBER, "The user is a member of this project already.")
LAST_OWNER: Final = Rejection(Code.LAST_OWNER)
CONNECTION_INACTIVE: Final = Rejection(Code.CONNECTION_INACTIVE)
SYNC_ALREADY_RUNNING: Final = Rejection(Code.SYNC_ALREADY_RUNNING)
SYNC_NOT_RUNNING: Final = Rejection(Code.SYNC_NOT_RUNNING)
DLQ_EVENT_RESOLVED: Final = Rejection(Code.DLQ_EVENT_RESOLVED)
SECRET_REF_IN_USE: Final = Rejection(Code.SECRET_REF_IN_USE)

MEMBERS_LIMIT: Final = Rejection(Code.LIMIT_REACHED, f"An org has at most {ORG_MEMBERS} members.")
PROJECTS_LIMIT: Final = Rejection(Code.LIMIT_REACHED, f"An org has at most {ORG_PROJECTS} projects.")
RETRIES_LIMIT: Final = Rejection(Code.LIMIT_REACHED, f"A dead letter is retried at most {RETRY_COUNT} times.")
CONNECTIONS_LIMIT: Final = Rejection(Code.LIMIT_REACHED, f"An org has at most {ORG_CONNECTIONS} connections.")
SECRET_REFS_LIMIT: Final = Rejection(Code.LIMIT_REACHED, f"An org has at most {ORG_SECRET_REFS} secret references.")


def invalid_config(fault: str) -> Rejection:
    """`fault` names fields and rules, never values."""
    return Rejection(Code.INVALID_CONFIG, fault)
