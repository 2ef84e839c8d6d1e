"""The verdict on a command from each kind of answer, whether it comes from Daybook or from a proxy."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from daybook_client import Accepted, Code, Rejected, commands
from daybook_client.answers import Answer, batch_verdicts, record_verdict, refusal, retry_after, verdict
from daybook_client.attempts import Again
from daybook_contracts.codes import HTTP_STATUS
from daybook_contracts.results import encode_body, encode_item, problem
from support.documents import ROOT

ID = "01890000-0000-7000-8000-000000000002"
ORG = "00000000-0000-4000-8000-000000000001"
COMMAND = commands.RenameOrg(id=ID, org_id=ORG, name="x")
OTHER = commands.RenameOrg(org_id=ORG, name="y")
FINAL = [code for code in Code if code not in {Code.UNAVAILABLE, Code.TOO_MANY_REQUESTS, Code.NOT_FOUND}]
ACCEPTED: dict[str, Any] = {
    "command_id": ID,
    "result": "success",
    "entries": [{"id": ID, "action": "RENAME_ORG", "entity_type": "org", "entity_id": ORG}],
    "position": "3.7",
}


def answer(status: int, body: object, **headers: str) -> Answer:
    return Answer(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


def sample(name: str) -> bytes:
    return (ROOT / "contracts" / "samples" / "results" / name).read_bytes()


def test_an_acceptance_has_its_position_and_its_entries() -> None:
    outcome = verdict(COMMAND, answer(200, ACCEPTED), None)
    assert isinstance(outcome, Accepted)
    assert (outcome.command, outcome.position, outcome.entries[0].entity_id) == (COMMAND, "3.7", ORG)


@pytest.mark.parametrize("code", FINAL)
def test_every_final_code_is_a_rejection(code: Code) -> None:
    body = encode_body(problem(code, "why", command_id=ID))
    outcome = verdict(COMMAND, answer(HTTP_STATUS[code], body), None)
    assert outcome == Rejected(COMMAND, code, "why", HTTP_STATUS[code])


def test_a_code_that_the_client_does_not_know_is_text() -> None:
    outcome = verdict(COMMAND, answer(409, {"code": "NEW_RULE", "detail": "why", "command_id": ID}), None)
    assert outcome == Rejected(COMMAND, "NEW_RULE", "why", 409)


@pytest.mark.parametrize(
    "unclear",
    [
        answer(202, {"command_id": ID, "location": "/", "status": 202}),
        answer(503, encode_body(problem(Code.UNAVAILABLE, "Kafka is away", command_id=ID))),
        answer(429, encode_body(problem(Code.TOO_MANY_REQUESTS, "slowly"))),
        answer(200, json.dumps(ACCEPTED).encode()[:-9]),
        answer(200, {**ACCEPTED, "command_id": ORG}),
        answer(200, {**ACCEPTED, "command_id": None}),
        answer(200, {**ACCEPTED, "position": None}),
        answer(200, b""),
        answer(200, b"\xff"),
        answer(200, []),
        answer(404, encode_body(problem(Code.NOT_FOUND, "There is nothing at /v1/commands."))),
        answer(404, b"<html>not here</html>"),
        answer(502, b"Bad gateway"),
        answer(301, b""),
    ],
)
def test_a_command_without_an_outcome_is_sent_again(unclear: Answer) -> None:
    assert isinstance(verdict(COMMAND, unclear, None), Again)


def test_the_pause_that_daybook_asks_for_is_in_the_verdict() -> None:
    again = verdict(COMMAND, answer(503, {"code": "UNAVAILABLE"}, **{"retry-after": "4"}), None)
    assert isinstance(again, Again)
    assert again.after_seconds == 4


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3", 3.0), (" 0 ", 0.0), ("Wed, 25 Nov 2026 10:00:30 GMT", 30.0), ("Wed, 25 Nov 2026 09:00:00 GMT", 0.0)]
    + [(wrong, None) for wrong in ("", "soon", "-1", "1.5", "²")],
)
def test_both_forms_of_retry_after_are_read(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, datetime(2026, 11, 25, 10, tzinfo=UTC)) == seconds


def test_only_401_refuses_the_token() -> None:
    body = encode_body(problem(Code.UNAUTHENTICATED, "expired"))
    assert refusal(answer(401, body)) == "Daybook refuses the token: expired"
    assert refusal(answer(403, encode_body(problem(Code.FORBIDDEN, "no")))) is None


def test_a_batch_has_a_verdict_for_each_item() -> None:
    rejected = encode_item(problem(Code.LAST_OWNER, "why", command_id=OTHER.id))
    body = b"[" + json.dumps({**ACCEPTED, "status": 200}).encode() + b"," + rejected + b"]"
    found = batch_verdicts([COMMAND, OTHER], answer(200, body), None)
    assert found is not None
    assert [type(each) for each in found] == [Accepted, Rejected]


def test_a_batch_with_too_few_items_is_sent_again() -> None:
    found = batch_verdicts([COMMAND, OTHER], answer(200, [ACCEPTED]), None)
    assert found is not None
    assert [type(each) for each in found] == [Again, Again]


def test_a_refused_batch_has_no_verdicts() -> None:
    refused = answer(413, encode_body(problem(Code.INVALID_COMMAND, "too large", status=413)))
    assert batch_verdicts([COMMAND, OTHER], refused, None) is None


@pytest.mark.parametrize("name", ["accepted.record.v1.json", "rejected.record.v1.json", "invalid.record.v1.json"])
def test_golden_replies_are_read(name: str) -> None:
    value = sample(name)
    command = commands.RenameOrg(id=json.loads(value)["command_id"] or ID, org_id=ORG, name="x")
    expected = Accepted if name.startswith("accepted") else Rejected
    assert isinstance(record_verdict(command, value, None), expected)
