"""A web service that publishes in its request handlers: uvicorn shop_api:app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID

from fastapi import FastAPI, Header, HTTPException, Request
from pydantic import BaseModel

from daybook_client import Accepted, Daybook, Rejected, Unknown, commands, new_id_of


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with Daybook.over_http() as daybook:  # one for the service's whole life
        app.state.daybook = daybook
        yield


app = FastAPI(lifespan=lifespan)


class NewShop(BaseModel):
    name: str


@app.post("/orgs/{org_id}/shops", status_code=201)
async def open_shop(
    org_id: UUID,
    shop: NewShop,
    request: Request,
    user_id: Annotated[UUID, Header(description="Set by the gateway, which has authenticated the user.")],
    idempotency_key: Annotated[UUID, Header(description="The same for every retry of the caller.")],
) -> dict[str, str]:
    command = commands.CreateProject(id=str(idempotency_key), org_id=org_id, actor_user_id=user_id, name=shop.name)
    daybook: Daybook = request.app.state.daybook
    match await daybook.send(command, deadline=5):
        case Accepted(position=position):
            return {"shop_id": new_id_of(command), "position": position}
        case Rejected(status=status, code=code):
            raise HTTPException(status, code)
        case Unknown():  # the caller tries again with its key, and gets the outcome of the first time
            raise HTTPException(503, "not known yet", {"Retry-After": "1"})
