"""The service policy: what each service may send, over HTTP and Kafka alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from daybook_contracts.codes import Code
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.commands.registry import Command
from daybook_contracts.commands.users import RegisterUser
from daybook_contracts.limits import ENVELOPE_BYTES
from daybook_contracts.senders.principals import (
    UNNAMED,
    InvalidPrincipal,
    Principal,
    Service,
    User,
    is_signed,
    parse_publisher,
)
from daybook_contracts.topics import DOOR, DOOR_HTTP, PRINCIPAL, SIGNATURE

_REGISTER_USER = "REGISTER_USER"


@dataclass(frozen=True, slots=True)
class Grant:
    """What one service may send. None for `commands` means all types, None for `orgs` all orgs. Over Kafka, a signature
    with one of `keys` proves the service's name.
    """

    commands: frozenset[str] | None
    orgs: frozenset[str] | None
    act_for_users: bool
    keys: tuple[bytes, ...] = field(default=(), repr=False)

    def allows_type(self, type_: str) -> bool:
        return self.commands is None or type_ in self.commands

    def allows_org(self, org_id: str) -> bool:
        return self.orgs is None or org_id in self.orgs


@dataclass(frozen=True, slots=True)
class ServicePolicy:
    """Grants by service name. A service without a grant may send nothing."""

    grants: Mapping[str, Grant]
    door_keys: tuple[bytes, ...] = field(repr=False)

    def lists(self, service: Service) -> bool:
        return service.name in self.grants

    def refusal(self, service: Service, command: Command) -> str | None:
        """Why the service may not send the command; None if it may."""
        grant = self.grants.get(service.name)
        if grant is None:
            return unlisted_detail(service)
        if not grant.allows_type(command.type):
            return f"the service policy does not let {service} send {command.type}"
        if command.actor_user_id is not None and not grant.act_for_users:
            return f"the service policy does not let {service} act for users: leave actor_user_id out"
        if not isinstance(command, RegisterUser) and not grant.allows_org(command.key):
            return f"the service policy does not let {service} act on this org"
        return None

    def may_look_up(self, service: Service, key: str, action: str) -> bool:
        """Whether the service may look up the outcome of a command of type `action` with the routing key `key`. The key
        is the user's id for REGISTER_USER, otherwise the id of an org, which need not exist.
        """
        grant = self.grants.get(service.name)
        if grant is None:
            return False
        return grant.allows_type(action) if action == _REGISTER_USER else grant.allows_org(key)

    def trusted_headers(self, headers: dict[str, bytes], value: bytes) -> dict[str, bytes]:
        """The record's headers that can be trusted. Without a valid signature, removes the principal and the door."""
        if self._is_signed(headers, value):
            return headers
        return {name: text for name, text in headers.items() if name not in {PRINCIPAL, DOOR}}

    def _is_signed(self, headers: dict[str, bytes], value: bytes) -> bool:
        claimed, door, signature = headers.get(PRINCIPAL), headers.get(DOOR, b""), headers.get(SIGNATURE)
        # A value over the limit is refused anyway, so no time is spent on hashing it.
        if claimed is None or signature is None or door not in {b"", DOOR_HTTP} or len(value) > ENVELOPE_BYTES:
            return False
        try:
            principal = parse_publisher(claimed)
        except InvalidPrincipal:
            return False
        return is_signed(signature, self._keys(principal, door), claimed, door, value)

    def _keys(self, principal: Principal, door: bytes) -> tuple[bytes, ...]:
        """The keys that may sign for the principal. Only the HTTP door may set the door header or name a user."""
        if door or isinstance(principal, User):
            return self.door_keys
        grant = self.grants.get(principal.name)
        return () if grant is None else grant.keys


def check_service(policy: ServicePolicy | None, principal: Principal, command: Command) -> None:
    """Raises InvalidCommand (FORBIDDEN) if the policy does not let a service send the command. Users always pass,
    because the deciders check their rights.
    """
    if policy is None or isinstance(principal, User):
        return
    reason = policy.refusal(principal, command)
    if reason is not None:
        raise InvalidCommand(Code.FORBIDDEN, reason, command.id)


def unlisted_detail(service: Service) -> str:
    hint = " (over Kafka: the record's signature is missing or wrong)" if service == UNNAMED else ""
    return f"the service policy does not list {service}{hint}"
