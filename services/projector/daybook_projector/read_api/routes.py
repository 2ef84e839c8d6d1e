"""The routes of pages and items, made from resources.py, and the route that waits for a position."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, create_model
from starlette.requests import Request
from starlette.responses import Response

from daybook_contracts.codes import Code
from daybook_contracts.results import problem
from daybook_contracts.senders.policy import ServicePolicy
from daybook_contracts.text import is_uuid
from daybook_infra.runtime.http.callers import Callers
from daybook_infra.runtime.http.problems import problem_response, refusal
from daybook_infra.runtime.http.route_metrics import measured_route
from daybook_infra.runtime.settings import Settings
from daybook_projector.metrics import ReadMetrics
from daybook_projector.read_api import openapi
from daybook_projector.read_api.answers import BoundedResponses
from daybook_projector.read_api.pages import Pages, not_found
from daybook_projector.read_api.pages import Query as PageQuery
from daybook_projector.read_api.parameters import (
    DEFAULT_LIMIT,
    AfterParameter,
    CursorParameter,
    LimitParameter,
    WaitParameter,
)
from daybook_projector.read_api.positions import Position, ProjectedPositions, parse_position
from daybook_projector.read_api.reader import Reader, reader_of
from daybook_projector.read_api.resource import Resource
from daybook_projector.read_api.resources import RESOURCES

AFTER_HEADER: Final = "Daybook-After"
POSITION_PATH: Final = "/v1/positions/{position}"
Endpoint = Callable[..., Awaitable[Response]]


class ItemQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    after: AfterParameter | None = None


class PositionQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    wait: WaitParameter | None = None


@dataclass(frozen=True, slots=True)
class ReadDependencies:
    settings: Settings
    policy: ServicePolicy | None
    callers: Callers
    pages: Pages
    positions: ProjectedPositions


class ReadRoutes:
    def __init__(self, deps: ReadDependencies) -> None:
        self._deps = deps
        self._answers = BoundedResponses()

    async def page(self, request: Request, resource: Resource, query: BaseModel) -> Response:
        reader, ids = self._identify(request)
        given = query.model_dump(exclude_none=True)
        waited = await self._wait(request, given.pop("after", None))
        limit, cursor = given.pop("limit", DEFAULT_LIMIT), given.pop("cursor", None)
        asked = PageQuery(given, cursor, limit, waited)
        return self._answers.response(request, await self._deps.pages.page(resource, reader, ids, asked))

    async def item(self, request: Request, resource: Resource, query: ItemQuery) -> Response:
        reader, ids = self._identify(request)
        waited = await self._wait(request, query.after)
        item_id = ids[resource.item_id]
        scope = {name: id_ for name, id_ in ids.items() if name != resource.item_id}
        reading = await self._deps.pages.item(resource, reader, scope, item_id, waited=waited)
        return self._answers.response(request, reading)

    async def position(self, request: Request, query: PositionQuery) -> Response:
        position = self._parse(request.path_params["position"], "position")
        longest = self._deps.settings.wait_seconds
        seconds = longest if query.wait is None else min(query.wait, longest)
        await self._wait_for(position, seconds)
        return Response(status_code=204)

    def _identify(self, request: Request) -> tuple[Reader, Mapping[str, str]]:
        """The caller and the ids in the path. Raises RequestRefused: 404 if an id is not a UUID, or if the service
        policy does not let the service read the org.
        """
        principal = request.state.token.principal
        ids = {name: value.lower() for name, value in request.path_params.items()}
        reader = reader_of(principal, self._deps.policy)
        org_id = ids.get("org_id")
        if not all(map(is_uuid, ids.values())) or (org_id is not None and not reader.may_ask_for(org_id)):
            raise not_found()
        return reader, ids

    async def _wait(self, request: Request, parameter: str | None) -> bool:
        """Waits for the position that the request names, and returns whether it names one."""
        header = only_header(request, AFTER_HEADER)
        if header is not None and parameter is not None and header != parameter:
            raise refusal(Code.INVALID_QUERY, "after, Daybook-After: must be the same position if both are given")
        text = parameter if header is None else header
        if text is None:
            return False
        position = self._parse(text, "Daybook-After" if parameter is None else "after")
        await self._wait_for(position, self._deps.settings.wait_seconds)
        return True

    async def _wait_for(self, position: Position, seconds: float) -> None:
        if not await self._deps.positions.wait(position, seconds):
            raise refusal(Code.NOT_PROJECTED, f"{position} is not in the tables yet; ask again.")

    def _parse(self, text: str, name: str) -> Position:
        position = parse_position(text, self._deps.settings.partitions)
        if position is None:
            raise refusal(Code.INVALID_QUERY, f"{name}: must be a position of the log, such as 3.1042")
        return position


def read_router(deps: ReadDependencies, metrics: ReadMetrics) -> APIRouter:
    authenticated = Depends(authenticator(deps.callers))
    router = APIRouter(
        route_class=measured_route(metrics.request_seconds), tags=["reading"], dependencies=[authenticated]
    )
    routes = ReadRoutes(deps)
    for resource in RESOURCES:
        add_get(router, resource.path, _page_endpoint(routes, resource), openapi.page_options(resource))
        add_get(router, resource.item_path, _item_endpoint(routes, resource), openapi.item_options(resource))

    async def get_position(request: Request, query: Annotated[PositionQuery, Query()]) -> Response:
        return await routes.position(request, query)

    add_get(router, POSITION_PATH, get_position, openapi.position_options())
    return router


def authenticator(callers: Callers) -> Callable[[Request], Awaitable[None]]:
    """A dependency of all routes, which runs before FastAPI validates the parameters."""

    async def authenticate(request: Request) -> None:
        request.state.token = await callers.verify(request.headers.get("authorization"))
        refuse_repeated([name for name, _ in request.query_params.multi_items()])

    return authenticate


def refuse_repeated(names: Sequence[str]) -> None:
    """Refuses a repeated query parameter: FastAPI would use one of its values and ignore the others. Takes time linear
    in the number of names, because a query may have thousands.
    """
    if len(set(names)) < len(names):
        raise refusal(Code.INVALID_QUERY, "a parameter is given more than once")


def only_header(request: Request, name: str) -> str | None:
    """The value of a header, without the white space around it (RFC 9110, section 5.5). Refuses a repeated header."""
    values = request.headers.getlist(name)
    if len(values) > 1:
        raise refusal(Code.INVALID_QUERY, f"the header {name} is given more than once")
    return values[0].strip(" \t") if values else None


async def invalid_query(_: Request, error: Exception) -> Response:
    """Answers invalid parameters with problem+json instead of FastAPI's format."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class alone
    first = error.errors()[0]
    name = str(first["loc"][-1])[:40]
    return problem_response(problem(Code.INVALID_QUERY, f"{name}: {first['msg'].removeprefix('Value error, ')}"))


def add_get(router: APIRouter, path: str, endpoint: Endpoint, options: dict[str, Any]) -> None:
    """Adds a route for GET and HEAD."""
    router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False, response_class=Response)
    router.add_api_route(path, endpoint, methods=["GET"], response_class=Response, **options)


def _page_endpoint(routes: ReadRoutes, resource: Resource) -> Endpoint:
    query_model = _query_model(resource)

    async def get_page(request: Request, query: Annotated[query_model, Query()]) -> Response:  # type: ignore[valid-type]
        return await routes.page(request, resource, query)

    return get_page


def _item_endpoint(routes: ReadRoutes, resource: Resource) -> Endpoint:
    async def get_item(request: Request, query: Annotated[ItemQuery, Query()]) -> Response:
        return await routes.item(request, resource, query)

    return get_item


def _query_model(resource: Resource) -> type[BaseModel]:
    fields: dict[str, Any] = {
        "limit": (LimitParameter, DEFAULT_LIMIT),
        "cursor": (CursorParameter | None, None),
        "after": (AfterParameter | None, None),
    }
    for each in resource.all_filters:
        fields[each.name] = (Annotated[each.type | None, Query(description=each.description)], None)
    return create_model(f"{resource.model.__name__}Query", __config__=ConfigDict(extra="forbid"), **fields)
