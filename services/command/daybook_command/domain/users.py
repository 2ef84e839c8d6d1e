"""Users. They belong to no org. With DAYBOOK_USERS=external, the identity provider registers them, not Daybook."""

from typing import Final

from daybook_command.domain import rejections
from daybook_command.domain.decision import DecisionContext
from daybook_command.domain.handlers import OpenFold, OpenHandler, Ruling, Subject, Target
from daybook_command.domain.permissions import Standing, Standings, is_anonymous, user_standings
from daybook_command.domain.references import Named
from daybook_command.domain.state import Org
from daybook_contracts.commands.users import RegisterUser
from daybook_contracts.entries.facts import UserRegistered


def _target(command: RegisterUser, _new_id: str, _org: Org | None) -> Target:
    return Target("user", command.data.user_id)


def _named(command: RegisterUser) -> Named:
    return Named(users=(command.data.user_id,))


def _rights(command: RegisterUser, context: DecisionContext) -> Standings:
    return frozenset() if is_anonymous(command, context.principal) else user_standings(command, command.data.user_id)


def register_user(command: RegisterUser, _org: Org | None, context: DecisionContext) -> Ruling:
    user_id = command.data.user_id
    if not context.managed_users:
        return rejections.USERS_ARE_EXTERNAL
    if user_id in context.known_users:
        return UserRegistered(user_id=user_id, changed=False)
    return UserRegistered(user_id=user_id)


HANDLERS: Final = (
    OpenHandler(
        RegisterUser, frozenset({Standing.ITSELF, Standing.SERVICE}), Subject(_target, _named), _rights, register_user
    ),
)
FOLDS: Final = (OpenFold(UserRegistered, lambda org, _actor, _fact: org),)
