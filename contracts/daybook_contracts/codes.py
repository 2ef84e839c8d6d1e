"""The stable codes of all refusals, each with its HTTP status, its title and, if it can be logged, its sentence.

No other module assigns an HTTP status to a code.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Code(StrEnum):
    """A code never changes its meaning. Codes may be added; none is removed."""

    FORBIDDEN = "FORBIDDEN"
    ORG_NOT_FOUND = "ORG_NOT_FOUND"
    USER_NOT_FOUND = "USER_NOT_FOUND"
    MEMBER_NOT_FOUND = "MEMBER_NOT_FOUND"
    PROJECT_NOT_FOUND = "PROJECT_NOT_FOUND"
    CONNECTION_NOT_FOUND = "CONNECTION_NOT_FOUND"
    SYNC_RUN_NOT_FOUND = "SYNC_RUN_NOT_FOUND"
    DLQ_EVENT_NOT_FOUND = "DLQ_EVENT_NOT_FOUND"
    ALERT_NOT_FOUND = "ALERT_NOT_FOUND"
    SECRET_REF_NOT_FOUND = "SECRET_REF_NOT_FOUND"  # noqa: S105 - a code, not a credential
    ALREADY_EXISTS = "ALREADY_EXISTS"
    ALREADY_MEMBER = "ALREADY_MEMBER"
    LAST_OWNER = "LAST_OWNER"
    CONNECTION_INACTIVE = "CONNECTION_INACTIVE"
    SYNC_ALREADY_RUNNING = "SYNC_ALREADY_RUNNING"
    SYNC_NOT_RUNNING = "SYNC_NOT_RUNNING"
    DLQ_EVENT_RESOLVED = "DLQ_EVENT_RESOLVED"
    SECRET_REF_IN_USE = "SECRET_REF_IN_USE"  # noqa: S105 - a code, not a credential
    LIMIT_REACHED = "LIMIT_REACHED"
    INVALID_CONFIG = "INVALID_CONFIG"
    SECRET_IN_CONFIG = "SECRET_IN_CONFIG"  # noqa: S105 - a code, not a credential
    COMMAND_ID_REUSED = "COMMAND_ID_REUSED"
    ORG_QUARANTINED = "ORG_QUARANTINED"
    INVALID_COMMAND = "INVALID_COMMAND"
    INVALID_QUERY = "INVALID_QUERY"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS"
    NOT_FOUND = "NOT_FOUND"
    NOT_PROJECTED = "NOT_PROJECTED"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"


_STATUS_AND_TITLE: dict[Code, tuple[int, str]] = {
    Code.FORBIDDEN: (403, "Not allowed"),
    Code.ORG_NOT_FOUND: (404, "No such org"),
    Code.USER_NOT_FOUND: (404, "No such user"),
    Code.MEMBER_NOT_FOUND: (404, "No such member"),
    Code.PROJECT_NOT_FOUND: (404, "No such project"),
    Code.CONNECTION_NOT_FOUND: (404, "No such connection"),
    Code.SYNC_RUN_NOT_FOUND: (404, "No such sync run"),
    Code.DLQ_EVENT_NOT_FOUND: (404, "No such dead letter"),
    Code.ALERT_NOT_FOUND: (404, "No such alert"),
    Code.SECRET_REF_NOT_FOUND: (404, "No such secret reference"),
    Code.ALREADY_EXISTS: (409, "It exists already"),
    Code.ALREADY_MEMBER: (409, "Already a member"),
    Code.LAST_OWNER: (409, "An org keeps at least one owner"),
    Code.CONNECTION_INACTIVE: (409, "The connection is inactive"),
    Code.SYNC_ALREADY_RUNNING: (409, "A sync is running"),
    Code.SYNC_NOT_RUNNING: (409, "The sync is not running"),
    Code.DLQ_EVENT_RESOLVED: (409, "The dead letter is resolved"),
    Code.SECRET_REF_IN_USE: (409, "The secret reference is in use"),
    Code.LIMIT_REACHED: (409, "A limit is reached"),
    Code.INVALID_CONFIG: (422, "Invalid config"),
    Code.SECRET_IN_CONFIG: (422, "A secret where only references belong"),
    Code.COMMAND_ID_REUSED: (409, "The command id was used for something else"),
    Code.ORG_QUARANTINED: (503, "The org is in quarantine"),
    Code.INVALID_COMMAND: (400, "Invalid command"),
    Code.INVALID_QUERY: (400, "Invalid query"),
    Code.UNAUTHENTICATED: (401, "No valid token"),
    Code.TOO_MANY_REQUESTS: (429, "Too many requests"),
    Code.NOT_FOUND: (404, "Not found"),
    Code.NOT_PROJECTED: (504, "Not in the tables yet"),
    Code.UNAVAILABLE: (503, "Unavailable"),
    Code.INTERNAL: (500, "Internal error"),
}

SENTENCE: Mapping[Code, str] = MappingProxyType(
    {
        Code.FORBIDDEN: "The actor has no right to do this.",
        Code.ORG_NOT_FOUND: "There is no such org.",
        Code.USER_NOT_FOUND: "There is no such user.",
        Code.MEMBER_NOT_FOUND: "The user is not a member.",
        Code.PROJECT_NOT_FOUND: "There is no such project in this org.",
        Code.CONNECTION_NOT_FOUND: "There is no such connection here.",
        Code.SYNC_RUN_NOT_FOUND: "There is no such sync run in this org.",
        Code.DLQ_EVENT_NOT_FOUND: "There is no such dead letter here.",
        Code.ALERT_NOT_FOUND: "There is no such alert in this org.",
        Code.SECRET_REF_NOT_FOUND: "There is no such secret reference in this org.",
        Code.ALREADY_EXISTS: "Something with this id or name exists already.",
        Code.ALREADY_MEMBER: "The user is a member already.",
        Code.LAST_OWNER: "An org needs an owner, and this is its last one.",
        Code.CONNECTION_INACTIVE: "The connection is inactive.",
        Code.SYNC_ALREADY_RUNNING: "A sync of this connection is running.",
        Code.SYNC_NOT_RUNNING: "The sync run has ended already.",
        Code.DLQ_EVENT_RESOLVED: "The dead letter is resolved already.",
        Code.SECRET_REF_IN_USE: "A connection's config names this secret reference.",
        Code.LIMIT_REACHED: "A limit of the org is reached.",
        Code.INVALID_CONFIG: "The config does not fit the connection's type.",
    }
)
"""The text of a rejection in the log, at most 200 characters. The entry's hash covers the text, so it can never be
redacted and must not quote anything that a sender wrote. Only the first answer to a command has a more detailed text.
"""

HTTP_STATUS: Mapping[Code, int] = MappingProxyType({code: status for code, (status, _) in _STATUS_AND_TITLE.items()})
TITLE: Mapping[Code, str] = MappingProxyType({code: title for code, (_, title) in _STATUS_AND_TITLE.items()})

TOO_LARGE_STATUS = 413  # instead of INVALID_COMMAND's 400 if the command is too large


def problem_type(code: Code) -> str:
    """The `type` member of a problem (RFC 9457)."""
    return f"urn:daybook:problem:{code}"
