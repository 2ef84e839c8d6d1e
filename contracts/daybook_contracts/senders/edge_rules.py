"""What an operator's settings forbid beside the contract: a command and its sender in, a refusal out. HTTP and Kafka
apply the same value.
"""

from dataclasses import dataclass

from daybook_contracts.codes import Code
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.commands.registry import Command
from daybook_contracts.commands.secret_refs import CreateSecretRef, RotateSecretRef
from daybook_contracts.secrets.references import ENVIRONMENT, expanded_prefix
from daybook_contracts.senders.policy import ServicePolicy, check_service
from daybook_contracts.senders.principals import Principal, Service


@dataclass(frozen=True, slots=True)
class EdgeRules:
    """`policy`: None lets every service send what the command table gives services. `secret_ref_prefix`: what every
    secret reference of an org begins with, a template; empty: any.
    """

    policy: ServicePolicy | None = None
    secret_ref_prefix: str = ""

    def check(self, command: Command, principal: Principal, *, is_judged: bool = False) -> None:
        """Raises InvalidCommand. `is_judged`: the HTTP door has held the command against the policy already."""
        if not is_judged:
            check_service(self.policy, principal, command)
        refuse_reference(command, principal, self.secret_ref_prefix)


NO_RULES = EdgeRules()


def refuse_reference(command: Command, principal: Principal, prefix: str) -> None:
    """Raises InvalidCommand for `env:` from a user, whoever acts, and for what does not begin with the org's prefix.
    `prefix` is the template of all orgs; if it is empty, any place will do.
    """
    if not isinstance(command, CreateSecretRef | RotateSecretRef):
        return
    reference = command.data.secret_id_ref
    if reference.startswith(ENVIRONMENT) and not isinstance(principal, Service):
        detail = f"data.secret_id_ref: only a service may refer to the environment ({ENVIRONMENT}…)"
        raise InvalidCommand(Code.INVALID_COMMAND, detail, command.id)
    if not reference.startswith(expected := expanded_prefix(prefix, command.org_id)):
        detail = f"data.secret_id_ref must begin with {expected} for this org"
        raise InvalidCommand(Code.INVALID_COMMAND, detail, command.id)
