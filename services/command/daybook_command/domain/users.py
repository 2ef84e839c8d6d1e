"""Decides on users. They belong to no org; in external mode they are the identity provider's."""

from daybook_command.domain import rejections
from daybook_command.domain.decision import Decision, DecisionContext
from daybook_command.domain.permissions import NOBODY, may, towards_user
from daybook_command.domain.targets import accepted
from daybook_contracts.commands.users import RegisterUser
from daybook_contracts.entries.facts import UserRegistered
from daybook_contracts.senders.principals import Service


def register_user(command: RegisterUser, context: DecisionContext) -> Decision:
    user_id, actor = command.data.user_id, command.actor_user_id
    anonymous = actor is None and not isinstance(context.principal, Service)
    if not may(command.type, NOBODY if anonymous else towards_user(actor, user_id)):
        return rejections.FORBIDDEN
    if not context.managed_users:
        return rejections.EXTERNAL_USERS
    if user_id in context.known_users:
        return accepted(command, None, context, UserRegistered(user_id=user_id, changed=False))
    return accepted(command, None, context, UserRegistered(user_id=user_id))
