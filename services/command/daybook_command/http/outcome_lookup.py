"""`GET /v1/orgs/{key}/commands/{id}`: returns a command's outcome to those who may see it. Others get a 404."""

from typing import Annotated, Final

from fastapi import APIRouter, Header, Path, Query
from pydantic import JsonValue
from starlette.responses import Response

from daybook_command.http import examples
from daybook_command.http.dependencies import DoorDependencies, Outcomes
from daybook_command.metrics import DOOR_SECONDS
from daybook_command.postgres.outcomes import Outcome
from daybook_contracts.codes import Code
from daybook_contracts.results import encode_item
from daybook_contracts.senders.policy import ServicePolicy
from daybook_contracts.senders.principals import Principal, Service, User
from daybook_contracts.text import is_uuid
from daybook_infra.runtime.http.callers import Callers
from daybook_infra.runtime.http.openapi import REF, SECURED, answer, secured_problems
from daybook_infra.runtime.http.problems import RequestRefused, refusal
from daybook_infra.runtime.http.route_metrics import measured_route

PATH: Final = "/v1/orgs/{key}/commands/{id}"
UUID_FORMAT: Final[dict[str, JsonValue]] = {"format": "uuid"}
KeyInPath = Annotated[
    str, Path(description="The command's org; of REGISTER_USER, the user.", json_schema_extra=UUID_FORMAT)
]
IdInPath = Annotated[str, Path(alias="id", description="The command's id.", json_schema_extra=UUID_FORMAT)]
_SEES_WHOLE_ORG: Final = frozenset({"owner", "admin"})


def outcome_router(deps: DoorDependencies, callers: Callers) -> APIRouter:
    router = APIRouter(route_class=measured_route(DOOR_SECONDS), tags=["commands"])

    @router.head(PATH, include_in_schema=False)
    @router.get(
        PATH,
        summary="A command's outcome",
        description="For its sender, the org's owners and admins, and services.",
        operation_id="get_outcome",
        response_class=Response,
        responses={
            200: answer("Accepted or rejected.", REF.format("Item"), examples.OUTCOME),
            **secured_problems(Code.INVALID_QUERY, Code.NOT_FOUND),
        },
        openapi_extra=SECURED,
    )
    async def get_outcome(
        key: KeyInPath,
        command_id: IdInPath,
        actor: Annotated[str | None, Query(description="Of a service: the user that it acted for.")] = None,
        authorization: Annotated[str | None, Header(include_in_schema=False)] = None,
    ) -> Response:
        principal = await callers.identify(authorization)
        if not (is_uuid(key) and is_uuid(command_id)):
            raise _not_found()
        acting = _actor(principal, actor)
        outcome = await deps.outcomes.find(key.lower(), command_id.lower(), acting)
        if outcome is None or not await _may_see(principal, key.lower(), acting, outcome, deps.policy, deps.outcomes):
            raise _not_found()
        return Response(encode_item(outcome.result), media_type="application/json")

    return router


async def _may_see(
    principal: Principal, key: str, actor: str | None, outcome: Outcome, policy: ServicePolicy | None, roles: Outcomes
) -> bool:
    """Whether the principal may see the outcome. A service that names an actor sees only that actor's commands."""
    match principal:
        case Service():
            if policy is not None and not policy.may_look_up(principal, key, outcome.action):
                return False
            return actor in {None, outcome.actor}
        case User(user_id):
            if outcome.actor == user_id:
                return True
            if outcome.org_id is None:
                return False
            return await roles.role(outcome.org_id, user_id) in _SEES_WHOLE_ORG


def _actor(principal: Principal, named: str | None) -> str | None:
    """The user whose command is looked up: for a user, its own id; for a service, the user that it names."""
    match principal:
        case User(user_id):
            return user_id
        case Service():
            if named is not None and not is_uuid(named):
                raise _not_found()
            return None if named is None else named.lower()


def _not_found() -> RequestRefused:
    detail = (
        "No outcome that you may see: the command is unknown, not decided yet, or was refused without an entry. "
        "Sending it again with its id gives the final answer."
    )
    return refusal(Code.NOT_FOUND, detail)
