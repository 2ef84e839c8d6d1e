"""Rules for senders from the operator's settings, in addition to the contract. HTTP and Kafka apply the same rules."""

from dataclasses import dataclass
from typing import Final

from daybook_contracts.codes import Code
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.commands.registry import Command
from daybook_contracts.commands.secret_refs import CreateSecretRef, RotateSecretRef
from daybook_contracts.secrets.references import ENVIRONMENT, expanded_prefix
from daybook_contracts.senders.policy import ServicePolicy, check_service
from daybook_contracts.senders.principals import Principal, Service


@dataclass(frozen=True, slots=True)
class SenderRules:
    """`policy`: what each service may send; None does not restrict services.
    `secret_ref_prefix`: a template of the prefix that an org's secret references must have; empty allows any prefix.
    """

    policy: ServicePolicy | None = None
    secret_ref_prefix: str = ""

    def check(self, command: Command, principal: Principal, *, policy_checked: bool = False) -> None:
        """Raises InvalidCommand if a rule is broken. `policy_checked`: the HTTP door has applied the policy already."""
        if not policy_checked:
            check_service(self.policy, principal, command)
        refuse_reference(command, principal, self.secret_ref_prefix)


NO_RULES = SenderRules()
_NAMING_REFERENCES: Final = frozenset({"CREATE_SECRET_REF", "ROTATE_SECRET_REF"})


def refuse_reference(command: Command, principal: Principal, prefix: str) -> None:
    """Raises InvalidCommand for an `env:` reference from a user, and for a reference without the org's prefix. `prefix`
    is the template for all orgs; if it is empty, any prefix is allowed.
    """
    # The type is compared first, because `isinstance` with a model takes long.
    if command.type not in _NAMING_REFERENCES or not isinstance(command, CreateSecretRef | RotateSecretRef):
        return
    reference = command.data.secret_id_ref
    if reference.startswith(ENVIRONMENT) and not isinstance(principal, Service):
        detail = f"data.secret_id_ref: only a service may refer to the environment ({ENVIRONMENT}…)"
        raise InvalidCommand(Code.INVALID_COMMAND, detail, command.id)
    if not reference.startswith(expected := expanded_prefix(prefix, command.org_id)):
        detail = f"data.secret_id_ref must begin with {expected} for this org"
        raise InvalidCommand(Code.INVALID_COMMAND, detail, command.id)
