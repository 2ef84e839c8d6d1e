"""How the HTTP API answers a request whose token is refused."""

from support.door_doubles import DoorAlone, rename, token


async def test_a_refused_token_gets_a_problem_with_a_challenge(door: DoorAlone) -> None:
    answer = await door.send(rename(), Authorization="Bearer nonsense")
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert door.kafka.calls == []


async def test_an_anonymous_user_gets_a_problem(door: DoorAlone) -> None:
    answer = await door.send(rename(), Authorization=f"Bearer {token(is_anonymous=True)}")
    assert (answer.status_code, answer.json()["code"], door.kafka.calls) == (403, "FORBIDDEN", [])
