"""`GET /v1/orgs/{key}/commands/{id}`: a command's outcome, for those who may see it. For all others there is none."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from daybook_command.http.auth import Authenticator
from daybook_command.http.dependencies import Outcomes
from daybook_command.http.problems import Refused, refuse, refuse_unlisted
from daybook_command.http.rate import UserRate
from daybook_command.postgres.outcomes import Outcome
from daybook_contracts.codes import Code
from daybook_contracts.results import encode_item
from daybook_contracts.senders.policy import ServicePolicy
from daybook_contracts.senders.principals import Principal, Service, User
from daybook_contracts.text import is_uuid

_SEES_ALL_OF_THE_ORG: Final = frozenset({"owner", "admin"})


class Lookup:
    def __init__(
        self, outcomes: Outcomes, authenticator: Authenticator, rate: UserRate, policy: ServicePolicy | None
    ) -> None:
        self._outcomes = outcomes
        self._policy = policy
        self._authenticator = authenticator
        self._rate = rate

    async def outcome(self, request: Request) -> Response:
        principal = await self._authenticator.principal(request.headers.get("authorization"))
        refuse_unlisted(principal, self._policy)
        self._rate.enter(principal)
        key, command_id = request.path_params["key"], request.path_params["id"]
        if not (is_uuid(key) and is_uuid(command_id)):
            raise _not_found()
        key, actor = key.lower(), _actor(principal, request)
        outcome = await self._outcomes.find(key, command_id.lower(), actor)
        if outcome is None or not await self._sees(principal, key, actor, outcome):
            raise _not_found()
        return Response(encode_item(outcome.result), media_type="application/json")

    async def _sees(self, principal: Principal, key: str, actor: str | None, outcome: Outcome) -> bool:
        """A service that names an actor sees only that actor's commands."""
        match principal:
            case Service():
                if self._policy is not None and not self._policy.sees(principal, key, outcome.action):
                    return False
                return actor in {None, outcome.actor}
            case User(user_id):
                if outcome.actor == user_id:
                    return True
                if outcome.org_id is None:
                    return False
                return await self._outcomes.role(outcome.org_id, user_id) in _SEES_ALL_OF_THE_ORG


def _actor(principal: Principal, request: Request) -> str | None:
    """The user whose command is looked up. A service may name the user that it acted for; a user gets its own."""
    match principal:
        case User(user_id):
            return user_id
        case Service():
            named = request.query_params.get("actor")
            if named is not None and not is_uuid(named):
                raise _not_found()
            return None if named is None else named.lower()


def _not_found() -> Refused:
    detail = (
        "No outcome that you may see: the command is unknown, not decided yet, or was refused without an entry. "
        "Sending it again with its id gives the final answer."
    )
    return refuse(Code.NOT_FOUND, detail)
