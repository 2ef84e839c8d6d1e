"""Who may send which commands: tokens, services that act for users, services that choose ids, and users who register
themselves.
"""

import jwt
import pytest

from support.chain import entry_id, thing_id
from support.driving import Tenant, fresh_id
from support.publisher import Door, Send, item
from support.workload import SERVICE, command

FORGED = jwt.encode({"sub": "x", "role": "service_role", "aud": "daybook", "exp": 9_999_999_999}, "k" * 32, "HS256")
UNSIGNED = jwt.encode({"sub": "x", "role": "service_role", "aud": "daybook", "exp": 9_999_999_999}, "", "none")


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer nonsense", f"Bearer {FORGED}", f"Bearer {UNSIGNED}"])
async def test_a_missing_or_forged_token_is_refused(door: Door, tenant: Tenant, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await door.client.post(f"{door.url}/v1/commands", content=tenant.rename("x").body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")


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


async def test_an_unknown_user_can_register_and_then_act(door: Door) -> None:
    user = fresh_id()
    unknown = Send(f"user:{user}", command("CREATE_ORG", fresh_id(), user, fresh_id(), name="Too early"))
    answer = await door.send(unknown)
    assert (answer.status_code, answer.json()["code"]) == (404, "USER_NOT_FOUND")
    registered = await door.send(Send(f"user:{user}", command("REGISTER_USER", None, user, fresh_id(), user_id=user)))
    assert registered.status_code == 200
    created = await door.send(Send(f"user:{user}", command("CREATE_ORG", fresh_id(), user, fresh_id(), name="Now")))
    assert created.status_code == 200


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/asyncapi"])
async def test_health_metrics_and_documentation_need_no_token(door: Door, path: str) -> None:
    assert (await door.client.get(door.url + path)).status_code == 200
