"""Which secret references a sender may give to an org: a well-formed command and its sender in, InvalidCommand out.

Both doors ask here, because parsing knows neither the sender nor the deployment.
"""

from daybook_contracts.codes import Code
from daybook_contracts.commands.invalid import InvalidCommand
from daybook_contracts.commands.registry import Command
from daybook_contracts.commands.secret_refs import CreateSecretRef, RotateSecretRef
from daybook_contracts.principals import Principal, Service
from daybook_contracts.secret_id_ref import ENVIRONMENT, expanded_prefix


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
