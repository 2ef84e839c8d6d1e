"""Who may send what: tokens, users and their actors, services for themselves and for users."""

from typing import Any

import httpx
import jwt
import pytest

from support.chain import entry_id, thing_id
from support.driving import Tenant, fresh_id
from support.publisher import Door, Send, item, token
from support.workload import SERVICE, command

pytestmark = pytest.mark.e2e
FORGED = jwt.encode({"sub": "x", "role": "service_role", "aud": "daybook", "exp": 9_999_999_999}, "k" * 32, "HS256")
UNSIGNED = jwt.encode({"sub": "x", "role": "service_role", "aud": "daybook", "exp": 9_999_999_999}, "", "none")
CLAIMS = {
    "expired": {"exp": 1},
    "without exp": {"exp": None},
    "without sub": {"sub": None},
    "without aud": {"aud": None},
    "for another audience": {"aud": "elsewhere"},
    "without role": {"role": None},
    "of an unknown role": {"role": "anon"},
}


async def post_refused(door: Door, send: Send, authorization: str | None) -> httpx.Response:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await door.client.post(f"{door.url}/v1/commands", content=send.body, headers=headers)
    assert answer.headers["content-type"] == "application/problem+json"
    return answer


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer nonsense", f"Bearer {FORGED}", f"Bearer {UNSIGNED}"])
async def test_a_missing_or_forged_token_is_refused(door: Door, tenant: Tenant, authorization: str | None) -> None:
    answer = await post_refused(door, tenant.rename("x"), authorization)
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS.keys())
async def test_a_token_with_invalid_claims_is_refused(door: Door, tenant: Tenant, claims: dict[str, Any]) -> None:
    bearer = token(door.settings, f"user:{tenant.owner}", **claims)
    answer = await post_refused(door, tenant.rename("x"), f"Bearer {bearer}")
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("principal", ["service:daybook", "service:Not A Name", "user:ada"])
async def test_a_token_with_an_invalid_principal_is_refused(door: Door, tenant: Tenant, principal: str) -> None:
    answer = await post_refused(door, tenant.rename("x"), f"Bearer {token(door.settings, principal)}")
    assert answer.status_code in {401, 403}


async def test_a_user_may_not_act_as_another_user(door: Door, tenant: Tenant) -> None:
    send = Send(f"user:{tenant.member}", tenant.rename("x").command)
    answer = await door.send(send)
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    assert not {"entry_id", "position"} & answer.json().keys()


async def test_a_user_is_the_default_actor_of_its_commands(door: Door, tenant: Tenant) -> None:
    named = tenant.rename("Filled in")
    without = Send(named.principal, named.command | {"actor_user_id": None})
    assert (await door.send(without)).content == (await door.send(named)).content


async def test_a_service_acts_with_the_rights_of_the_user_it_names(door: Door, tenant: Tenant) -> None:
    def on_behalf(actor: str | None) -> Send:
        return Send(SERVICE, command("RENAME_ORG", tenant.org_id, actor, fresh_id(), name="By service"))

    answers = [await door.send(on_behalf(actor)) for actor in (tenant.owner, tenant.member, tenant.stranger, None)]
    assert [answer.json().get("code") for answer in answers] == [None, "FORBIDDEN", "ORG_NOT_FOUND", "FORBIDDEN"]


async def test_only_a_service_may_choose_ids_and_only_free_ones(door: Door, tenant: Tenant) -> None:
    chosen = fresh_id()

    def creation(principal: str, org_id: str) -> Send:
        data = {"name": "Imported", "project_id": chosen}
        return Send(principal, command("CREATE_PROJECT", org_id, tenant.owner, fresh_id(), **data))

    other = fresh_id()
    await door.send(Send(SERVICE, command("CREATE_ORG", other, tenant.owner, fresh_id(), name="Other")))
    answer_to_user = await door.send(creation(f"user:{tenant.owner}", tenant.org_id))
    assert (answer_to_user.status_code, answer_to_user.json()["code"]) == (403, "FORBIDDEN")
    created = item(await door.send(creation(SERVICE, tenant.org_id)))
    assert (created["status"], created["entries"][0]["entity_id"]) == (200, chosen)
    for org_id in (tenant.org_id, other):
        taken = await door.send(creation(SERVICE, org_id))
        assert (taken.status_code, taken.json()["code"]) == (409, "ALREADY_EXISTS")


async def test_the_id_of_a_new_project_can_be_computed_in_advance(door: Door, tenant: Tenant) -> None:
    send = tenant.by(tenant.owner, "CREATE_PROJECT", name="Computed")
    (entry,) = (await door.send(send)).json()["entries"]
    assert entry["id"] == entry_id(tenant.org_id, send.command["id"])
    assert entry["entity_id"] == thing_id(tenant.org_id, send.command["id"])


async def test_a_stranger_cannot_tell_an_existing_org_from_an_unknown_one(door: Door, tenant: Tenant) -> None:
    real = tenant.by(tenant.stranger, "RENAME_ORG", name="x")
    unknown = Send(real.principal, real.command | {"org_id": fresh_id(), "id": fresh_id()})
    bodies = []
    for send in (real, unknown):
        answer = await door.send(send)
        varying = [answer.json()[name] for name in ("command_id", "entry_id", "position")]
        text = answer.text
        for value in varying:
            text = text.replace(value, "…")
        bodies.append((answer.status_code, text))
    assert bodies[0] == bodies[1]
    assert bodies[0][0] == 404


async def test_an_unknown_user_can_register_and_then_act(door: Door) -> None:
    user = fresh_id()
    unknown = Send(f"user:{user}", command("CREATE_ORG", fresh_id(), user, fresh_id(), name="Too early"))
    answer = await door.send(unknown)
    assert (answer.status_code, answer.json()["code"]) == (404, "USER_NOT_FOUND")
    registered = await door.send(Send(f"user:{user}", command("REGISTER_USER", None, user, fresh_id(), user_id=user)))
    assert registered.status_code == 200
    created = await door.send(Send(f"user:{user}", command("CREATE_ORG", fresh_id(), user, fresh_id(), name="Now")))
    assert created.status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/v1/commands", 405)])
async def test_errors_of_the_framework_are_problems(door: Door, method: str, path: str, status: int) -> None:
    answer = await door.client.request(method, door.url + path, headers=door.bearer(SERVICE))
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/asyncapi"])
async def test_health_metrics_and_documentation_need_no_token(door: Door, path: str) -> None:
    assert (await door.client.get(door.url + path)).status_code == 200
