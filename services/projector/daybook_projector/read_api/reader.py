"""Determines the PostgreSQL role and the JWT claims that a caller reads with, and the orgs that it may ask for."""

from dataclasses import dataclass
from typing import Final

import msgspec

from daybook_contracts.senders.policy import ServicePolicy
from daybook_contracts.senders.principals import Principal, Service, User

READER: Final = "daybook_reader"
AUDITOR: Final = "daybook_auditor"


@dataclass(frozen=True, slots=True)
class Reader:
    """`orgs`: the orgs that the service policy lets a service read; None for all. Always None for a user, because
    row-level security decides what users see.
    """

    principal: Principal
    role: str
    claims: str
    orgs: tuple[str, ...] | None = None

    @property
    def user_id(self) -> str | None:
        """The user whose reads row-level security restricts; None for a service, which sees everything."""
        return self.principal.user_id if isinstance(self.principal, User) else None

    def may_ask_for(self, org_id: str) -> bool:
        return self.orgs is None or org_id in self.orgs


def reader_of(principal: Principal, policy: ServicePolicy | None) -> Reader:
    """The claims are those that PostgREST would set. If there is a service policy, it must list the service."""
    match principal:
        case User(user_id):
            return Reader(principal, READER, _claims(user_id, "authenticated"))
        case Service(name):
            orgs = None if policy is None else policy.grants[name].orgs
            return Reader(
                principal, AUDITOR, _claims(name, "service_role"), None if orgs is None else tuple(sorted(orgs))
            )


def _claims(sub: str, role: str) -> str:
    return msgspec.json.encode({"sub": sub, "role": role}).decode()
