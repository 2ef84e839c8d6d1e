"""`GET /v1/orgs/{key}/commands/{id}`: a command's outcome, for those who may see it. For all others there is none."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from daybook_command.http.auth import Authenticator
from daybook_command.http.ports import Outcomes
from daybook_command.http.problems import Refused, refuse
from daybook_command.http.rate import UserRate
from daybook_command.outcomes import Outcome
from daybook_contracts.codes import Code
from daybook_contracts.ids import is_uuid
from daybook_contracts.principals import Principal, Service, User
from daybook_contracts.results import encode_item

_SEES_ALL_OF_THE_ORG: Final = frozenset({"owner", "admin"})


class Lookup:
    def __init__(self, outcomes: Outcomes, authenticator: Authenticator, rate: UserRate) -> None:
        self._outcomes = outcomes
        self._authenticator = authenticator
        self._rate = rate

    async def outcome(self, request: Request) -> Response:
        principal = await self._authenticator.principal(request.headers.get("authorization"))
        self._rate.enter(principal)
        key, command_id = request.path_params["key"], request.path_params["id"]
        if not (is_uuid(key) and is_uuid(command_id)):
            raise _not_found()
        outcome = await self._outcomes.find(key.lower(), command_id.lower())
        if outcome is None or not await self._sees(principal, outcome):
            raise _not_found()
        return Response(encode_item(outcome.result), media_type="application/json")

    async def _sees(self, principal: Principal, outcome: Outcome) -> bool:
        match principal:
            case Service():
                return True
            case User(user_id):
                if outcome.sender == str(principal):
                    return True
                if outcome.org_id is None:
                    return False
                return await self._outcomes.role(outcome.org_id, user_id) in _SEES_ALL_OF_THE_ORG


def _not_found() -> Refused:
    detail = (
        "No outcome that you may see: the command is unknown, not decided yet, or was refused without an entry. "
        "Sending it again with its id gives the final answer."
    )
    return refuse(Code.NOT_FOUND, detail)
