"""What an operator's settings forbid beside the contract: a command and its sender in, a refusal out. HTTP and Kafka
apply the same value.
"""

from dataclasses import dataclass

from daybook_contracts.commands import Command, refuse_reference
from daybook_contracts.principals import Principal
from daybook_contracts.service_policy import ServicePolicy, check_service


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
