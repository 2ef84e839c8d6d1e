"""Envelopes that Daybook refuses, each with the code of the refusal."""

import json
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from support.chain import Json

INVALID, SECRET = "INVALID_COMMAND", "SECRET_IN_CONFIG"
MANY = 300 * 1024


@dataclass(frozen=True, slots=True)
class Case:
    """`at_http`: False if only Kafka refuses the envelope (over HTTP, the id may be missing). `kept`: whether the dead
    letter has the body. A body over 256 KiB, or with a secret or what may be one, is left out.
    """

    name: str
    body: bytes
    code: str = INVALID
    status: int = 400
    at_http: bool = True
    kept: bool = True


def _envelope(**changes: Any) -> Json:
    """A valid RENAME_ORG with changes; `...` removes a member."""
    good = {
        "id": str(uuid4()),
        "type": "RENAME_ORG",
        "org_id": str(uuid4()),
        "actor_user_id": str(uuid4()),
        "data": {"name": "Ada"},
    }
    return {name: value for name, value in (good | changes).items() if value is not ...}


def _case(name: str, /, **changes: Any) -> Case:
    return Case(name, json.dumps(_envelope(**changes)).encode())


def _data(name: str, kind: str, /, **data: Any) -> Case:
    return _case(name, type=kind, data=data)


def _reference(name: str, secret_id_ref: str) -> Case:
    return replace(_data(name, "CREATE_SECRET_REF", key_name="k", secret_id_ref=secret_id_ref), kept=False)


def _raw(name: str, data: bytes, status: int = 400) -> Case:
    """Puts these bytes as the data into an otherwise valid envelope."""
    envelope = json.dumps(_envelope(data=0)).encode()
    return Case(name, envelope.replace(b'"data": 0', b'"data": ' + data), status=status)


def _secret(name: str, kind: str, /, **data: Any) -> Case:
    return Case(name, json.dumps(_envelope(type=kind, data=data)).encode(), SECRET, 422, kept=False)


def _connection(**config: Any) -> Json:
    return {"project_id": str(uuid4()), "type": "crm", "name": "CRM", "config": config}


JSON_CASES = [
    Case("no bytes", b""),
    Case("not UTF-8", b'{"id":"\xff"}'),
    Case("not JSON", b"{not json"),
    Case("two documents", b"{}{}"),
    Case("null", b"null"),
    Case("a string", b'"RENAME_ORG"'),
    Case("an empty object", b"{}"),
    _raw("a NUL", b'{"name": "a\\u0000b"}'),
    _raw("a lone surrogate", b'{"name": "a\\ud800b"}'),
    _raw("a control character that JSON forbids", b'{"name": "a\x01b"}'),
    _raw("NaN", b'{"name": NaN}'),
    _raw("infinity", b'{"name": -Infinity}'),
    _raw("a duplicate key", b'{"name": "a", "name": "b"}'),
    _raw("a duplicate key, escaped", b'{"name": "a", "n\\u0061me": "b"}'),
    _raw("a number that overflows a double", b'{"name": 1e400}'),
    _raw("an integral number beyond 2^53", b'{"name": 9007199254740993}'),
    _raw("an integral number beyond 2^53 as a float", b'{"name": 1e300}'),
    _raw("a depth of 33", b'{"name": ' + b"[" * 31 + b"]" * 31 + b"}"),
    _raw("a depth of 100,000", b"[" * 100_000 + b"]" * 100_000),
    replace(_raw("more than 256 KiB", b'{"name": "' + b"x" * MANY + b'"}', 413), kept=False),
]
ENVELOPE_CASES = [
    Case("no id", json.dumps(_envelope(id=...)).encode(), at_http=False),
    _case("an id that is no UUID", id="42"),
    _case("an id without dashes", id=uuid4().hex),
    _case("an id in braces", id=f"{{{uuid4()}}}"),
    _case("the nil id", id="00000000-0000-0000-0000-000000000000"),
    _case("the max id", id="FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"),
    _case("no type", type=...),
    _case("an unknown type", type="PAINT_ORG"),
    _case("a type that only policies write", type="ESCALATE_ALERT"),
    _case("a type in lower case", type="rename_org"),
    _case("a type that is no string", type=7),
    _case("no org_id", org_id=...),
    _case("an org_id that is null", org_id=None),
    _case("the nil org_id", org_id="00000000-0000-0000-0000-000000000000"),
    _case("an actor that is no UUID", actor_user_id="ada"),
    _case("no data", data=...),
    _case("data that is null", data=None),
    _case("data that is a list", data=[]),
    _case("an unknown member of the envelope", note="hello"),
    _case("org_id on REGISTER_USER", type="REGISTER_USER", data={"user_id": str(uuid4())}),
]
DATA_CASES = [
    _data("an unknown member of data", "RENAME_ORG", name="Ada", note="hello"),
    _data("no name", "RENAME_ORG"),
    _data("a name that is null", "RENAME_ORG", name=None),
    _data("a name that is a number", "RENAME_ORG", name=7),
    _data("an empty name", "RENAME_ORG", name=""),
    _data("a blank name", "RENAME_ORG", name=" \u2003\t "),
    _data("a name of 201 code points", "RENAME_ORG", name="x" * 201),
    _data("a control character inside a name", "RENAME_ORG", name="a\u0085b"),
    _data("an unknown org role", "ADD_MEMBER", user_id=str(uuid4()), role="boss"),
    _data(
        "an org role on a project", "ADD_PROJECT_MEMBER", project_id=str(uuid4()), user_id=str(uuid4()), role="owner"
    ),
    _data("no role", "UPDATE_MEMBER", user_id=str(uuid4())),
    _data("a user_id that is no UUID", "REMOVE_MEMBER", user_id="ada"),
    _data(
        "a chosen id that could meet a computed one",
        "CREATE_PROJECT",
        name="P",
        project_id=str(uuid4())[:14] + "8" + str(uuid4())[15:],
    ),
    _reference("a reference to a secret of no known form", "hunter2"),
    _reference("a reference that leads elsewhere", "vault:kv/a/../b#c"),
    _reference("a reference in other characters", "vault:kv/a/%62#c"),
]
SECRET_CASES = [
    _secret("a password in a config", "CREATE_CONNECTION", **_connection(password="hunter2")),
    _secret("a token deep in a config", "CREATE_CONNECTION", **_connection(a=[{"Access-Token": "hunter2"}])),
    _secret(
        "a JWT in a config's secrets", "CREATE_CONNECTION", **_connection(secrets={"key": "eyJhbGciOi.eyJzdWIi.c2ln"})
    ),
    _secret("a list of tokens", "CREATE_CONNECTION", **_connection(oauth={"accessToken": ["hunter2"]})),
    _secret("a password in a URL", "CREATE_CONNECTION", **_connection(url="https://shop:hunter2@example.com/")),
    _secret("a token in a URL", "CREATE_CONNECTION", **_connection(url="https://example.com/?access_token=hunter2")),
    _secret("a key instead of a reference", "CREATE_SECRET_REF", key_name="k", secret_id_ref="AKIAABCDEFGHIJKLMNOP"),
]
CASES = [*JSON_CASES, *ENVELOPE_CASES, *DATA_CASES, *SECRET_CASES]
