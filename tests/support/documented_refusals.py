"""Provokes refusals of an API's operations that need a token, and compares them with its OpenAPI document."""

import re
from typing import Any, Final
from uuid import uuid4

import httpx

from support.door_doubles import SECRET, claims, token
from support.key_server import signed_token

# For the API's settings. No server listens at the address of the keys.
SETTINGS: Final[dict[str, Any]] = {
    "jwt_secret": SECRET,
    "jwks_url": "http://127.0.0.1:9/keys",
    "rate": 0.001,
    "burst": 1,
}
# Server limits and bugs, which cannot be provoked here.
ALWAYS = {408, 431, 500}


async def undocumented_refusals(client: httpx.AsyncClient, charged_path: str) -> set[tuple[str, int]]:
    """The refusals that the document lacks, as operation id and status. `charged_path`: a GET that is answered without
    a database, and costs a rate-limit token.
    """
    document = (await client.get("/openapi.json")).json()
    missing: set[tuple[str, int]] = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if "security" in operation:
                given = await _refusals(client, method, path, charged_path) | ALWAYS
                missing |= {(operation["operationId"], status) for status in given - _documented(operation)}
    return missing


async def _refusals(client: httpx.AsyncClient, method: str, path: str, charged_path: str) -> set[int]:
    url = re.sub(r"{\w+}", lambda _: str(uuid4()), path)
    limited = token(f"user:{uuid4()}")
    await client.get(charged_path, headers=_bearer(limited))
    tokens = {
        401: "no token",
        403: token(f"user:{uuid4()}", is_anonymous=True),
        429: limited,
        503: signed_token(claims(), "RS256", "unknown"),
    }
    for status, text in tokens.items():
        answer = await client.request(method, url, content=b"[]", headers=_bearer(text))
        assert answer.status_code == status, (method, path, answer.text)
    return set(tokens)


def _documented(operation: dict[str, Any]) -> set[int]:
    return {int(status) for status in operation["responses"]}


def _bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}
