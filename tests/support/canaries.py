"""Commands that carry a secret, in every place where a publisher may put one. The secret contains a mark; a test looks
for the mark in everything that Daybook writes. Each command comes with its expected status.

Over 250 lines, because it is one list.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from support.chain import Json
from support.driving import fresh_id

TOO_LONG_TEXT = "x" * 300 * 1024
KEYS = (
    *("password", "Passwd", "SECRET", "client-secret", "app_secret", "token", "ACCESS_TOKEN", "refresh-token"),
    *("api_key", "Private-Key", "hotTok", "basic", "Authorization", "credentials", "senha", "smtpPassword", "pwd"),
    *("X-Hub-Signature", "set-cookie", "aws.secret.access.key", "accountKey", "passphrase", "oauth.bearer"),
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A text that occurs nowhere else, and an equally unique number for places that take no text."""

    text: str
    number: int

    @classmethod
    def new(cls) -> "Mark":
        drawn = fresh_id().replace("-", "")
        return cls(drawn[:12].upper() + drawn[-4:].upper(), 10**15 + int(drawn[-12:], 16))

    @property
    def needles(self) -> tuple[bytes, ...]:
        return self.text.encode(), self.text.encode().hex().encode(), str(self.number).encode()


@dataclass(frozen=True, slots=True)
class Scene:
    """Existing things. `used_id` is the id of an already decided command of the org."""

    org_id: str
    project_id: str
    connection_id: str
    secret_ref_id: str
    used_id: str


@dataclass(frozen=True, slots=True)
class Canary:
    """`logged`: the command is decided, so it has an entry in the log. `whole`: the body is one JSON document, so it
    can be an item of a batch.
    """

    name: str
    command_id: str
    body: bytes
    status: int
    logged: bool = False
    whole: bool = True


def canaries(scene: Scene, mark: Mark) -> list[Canary]:
    made = [*_in_configs(scene, mark), *_in_references(scene, mark), *_beside_other_faults(scene, mark)]
    made += [*_in_payloads(scene, mark), *_in_refused_payloads(scene, mark)]
    made += [*_in_free_texts(scene, mark), *_in_names_and_keys(scene, mark)]
    return [*made, *_in_invalid_json(scene, mark)]


def _texts(mark: str) -> dict[str, str]:
    return {
        "a private key": f"-----BEGIN RSA PRIVATE KEY-----\n{mark}\n-----END RSA PRIVATE KEY-----",
        "a JWT": f"eyJ{mark}.{mark}.{mark}",
        "a bearer token": f"Bearer {mark}",
        "basic credentials": f"Basic {mark}",
        "a Meta token": f"EAA{mark}{mark}",
        "an AWS key": f"AKIA{mark}",
        "a Stripe key": f"sk_live_{mark}",
        "a restricted Stripe key": f"rk_live_{mark}",
        **{f"a GitHub token ({kind})": f"gh{kind}_{mark}" for kind in "pousr"},
        "a fine-grained GitHub token": f"github_pat_{mark}",
        "a Stripe test key": f"sk_test_{mark}",
        "a Stripe webhook secret": f"whsec_{mark}",
        "a Google key": f"AIza{mark}{mark}{mark}",
        "a Google token": f"ya29.{mark}{mark}",
        "an Azure key": f"AccountName=x;AccountKey={mark}{mark}==",
        "an Azure signature": f"https://x.example.com/c?sv=1&sig={mark}{mark}%3D",
        "a Slack token": f"xoxb-1-{mark}",
        "a GitLab token": f"glpat-{mark}",
        "an OpenAI key": f"sk-{mark}{mark}",
        "an Anthropic key": f"sk-ant-api03-{mark}{mark}",
        "an npm token": f"npm_{mark}{mark}",
        "a PyPI token": f"pypi-AgEIcHlwaS5vcmc{mark}",
        "a SendGrid key": f"SG.{mark}.{mark}{mark}",
        "a Telegram token": f"123456789:AA{mark}{mark}",
        "a Discord token": f"M{mark}{mark[:10]}.{mark[:6]}.{mark}{mark}",
        "a Hugging Face token": f"hf_{mark}{mark}",
        "a Square token": f"sq0atp-{mark}{mark}",
        "a password in a URL": f"postgresql://daybook:{mark}@localhost/daybook",
        "a token in a URL": f"https://example.com/me?fields=id&access_token={mark}",
        "a header": f"Authorization: Token {mark}",
    }


def _envelope(scene: Scene, kind: str, /, **data: Any) -> Json:
    return {"id": fresh_id(), "type": kind, "org_id": scene.org_id, "data": data}


def _creation(scene: Scene, config: Any, /, **more: Any) -> Json:
    data = {"project_id": scene.project_id, "type": "crm", "name": "CRM", "config": config}
    return _envelope(scene, "CREATE_CONNECTION", **data | more)


def _canary(name: str, envelope: Json, status: int = 422, **more: Any) -> Canary:
    return Canary(name, envelope["id"], json.dumps(envelope).encode(), status, **more)


def _nested(value: Any, depth: int) -> Any:
    for at in range(depth):
        value = [value] if at % 3 else {"inner": value}
    return value


def _in_configs(scene: Scene, mark: Mark) -> Iterator[Canary]:
    texts = _texts(mark.text)
    meta = texts["a Meta token"]
    configs = {f"under the key {key}": _nested({key: mark.text}, at) for at, key in enumerate(KEYS)}
    configs |= {f"{name} under any key": _nested({"note": text}, at) for at, (name, text) in enumerate(texts.items())}
    configs |= {
        "at the greatest depth": _nested({"password": mark.text}, 28),
        "a text among the secrets": {"secrets": {"access_token": meta}},
        "an object among the secrets": {"secrets": {"access_token": {"a": [meta]}}},
        "secrets below the top": {"a": {"secrets": {"token": mark.text}}},
        "a key that is a secret": {"a": {meta: 1}},
        "a key among the secrets": {"secrets": {meta: "key"}},
        "a config that is a list": [{"password": mark.text}],
        "a config that is a text": meta,
    }
    for name, config in configs.items():
        yield _canary(name, _creation(scene, config))
        update = _envelope(scene, "UPDATE_CONNECTION", connection_id=scene.connection_id, config=config)
        yield _canary(f"{name}, in an update", update)


def _in_references(scene: Scene, mark: Mark) -> Iterator[Canary]:
    for name, text in _texts(mark.text).items():
        made = _envelope(scene, "CREATE_SECRET_REF", key_name="key", secret_id_ref=text)
        yield _canary(f"{name} as a reference", made)
        rotated = _envelope(scene, "ROTATE_SECRET_REF", secret_ref_id=scene.secret_ref_id, secret_id_ref=text)
        yield _canary(f"{name} as a new reference", rotated)
    odd = _envelope(scene, "CREATE_SECRET_REF", key_name="key", secret_id_ref={"password": mark.text})
    yield _canary("an object as a reference", odd)
    plain = _envelope(scene, "CREATE_SECRET_REF", key_name="key", secret_id_ref=mark.text)
    yield _canary("a password that no pattern knows", plain, 400)


def _beside_other_faults(scene: Scene, mark: Mark) -> Iterator[Canary]:
    config = {"password": mark.text}
    good = _creation(scene, config)
    yield _canary("of an unknown org", good | {"id": fresh_id(), "org_id": fresh_id()})
    yield _canary("of no org", {name: value for name, value in good.items() if name != "org_id"})
    yield _canary("under an id that was used", good | {"id": scene.used_id})
    yield _canary("of an unknown type of command", good | {"id": fresh_id(), "type": "PAINT_CONNECTION"})
    yield _canary("of a command without a config", _envelope(scene, "RENAME_ORG", name="x", config=config))
    yield _canary("beside an empty name", _creation(scene, config, name=""))
    yield _canary("beside an unknown field", _creation(scene, config, note="x"))
    yield _canary("beside a NUL", _creation(scene, config, name="a\0b"))
    # Invalid JSON is not searched for secrets: it is refused (400) and not kept.
    yield _canary("beside a lone surrogate", _creation(scene, config, name="a\ud800b"), 400)
    yield _canary("beside NaN", _creation(scene, config, name=float("nan")), 400)
    yield _canary("beside a huge number", _creation(scene, config, name=10**400), 400)
    yield _canary("beside what is nested too deep", _creation(scene, config, name=_nested(0, 60)))
    yield _canary("nested too deep itself", _creation(scene, _nested(config, 60)))
    yield _canary("in an envelope that is too large", _creation(scene, config, name=TOO_LONG_TEXT), 413)
    for at, (old, new) in enumerate(
        [(b'"config"', b'"config": 1, "config"'), (b'"config"', b'"c\\u006fnfig"'), (b'"data"', b'"data": {}, "data"')]
    ):
        made = _canary(f"with a key that is odd ({at})", _creation(scene, config))
        yield Canary(made.name, made.command_id, made.body.replace(old, new, 1), 422)


def _in_free_texts(scene: Scene, mark: Mark) -> Iterator[Canary]:
    """Texts in which workers report errors of their sources. Secrets in them are removed before the command is kept."""
    for name, text in _texts(mark.text).items():
        failed = f"the source said: {text}"
        yield _canary(f"{name} in an error", _recording(scene, {"kept": 2}, error=failed), 200, logged=True)
        raised = _envelope(scene, "RAISE_ALERT", project_id=scene.project_id, severity="info", message=failed)
        yield _canary(f"{name} in a message", raised, 200, logged=True)
        run = {"sync_run_id": fresh_id(), "error_message": failed}
        yield _canary(f"{name} in a run's error", _envelope(scene, "FAIL_SYNC", **run), 404, logged=True)
        done = {"sync_run_id": fresh_id(), "stats": {"calls": [{text: failed}]}}
        yield _canary(f"{name} in stats", _envelope(scene, "COMPLETE_SYNC", **done), 404, logged=True)
        reason = _envelope(scene, "DEACTIVATE_CONNECTION", connection_id=fresh_id(), reason=failed)
        yield _canary(f"{name} in a reason", reason, 404, logged=True)
        yield _canary(f"{name} beside an unknown field", _recording(scene, 1, error=failed, note="x"), 400)


def _in_names_and_keys(scene: Scene, mark: Mark) -> Iterator[Canary]:
    for name, text in _texts(mark.text).items():
        shown = text.replace("\n", " ")
        ref = _envelope(scene, "CREATE_SECRET_REF", key_name=shown, secret_id_ref="vault:kv/key#value")
        yield _canary(f"{name} as a key_name", ref, 400)
        yield _canary(f"{name} as a name", _creation(scene, {}, name=shown), 400)
        yield _canary(f"{name} as a field's name", _recording(scene, 1, **{text: 1}), 400)


def _in_payloads(scene: Scene, mark: Mark) -> Iterator[Canary]:
    """Payloads from which secrets are removed before they are stored."""
    payloads = {
        "at the top": {"hottok": mark.text, "kept": 1},
        "in another case": {"HotTok": mark.text},
        "twice in other cases": {"HOTTOK": mark.text, "hottok": mark.number},
        "in lists": [[{"a": [{"hottok": mark.text}]}]],
        "deep": _nested({"hottok": mark.text}, 28),
        "a number": {"a": {"hottok": mark.number}},
        "an object": {"hottok": {"x": [mark.text, mark.number]}},
        "a list": {"hottok": [mark.text, {"hottok": mark.number}]},
    }
    for name, payload in payloads.items():
        yield _canary(f"hottok: {name}", _recording(scene, payload), 200, logged=True)
    for spelling in (b"hotto\\u006b", b"\\u0048OTTOK", b"\\u0068\\u006F\\u0074\\u0074\\u006F\\u006B"):
        made = _canary(f"hottok: written {spelling.decode()}", _recording(scene, {"hottok": mark.text}), 200)
        yield Canary(made.name, made.command_id, made.body.replace(b"hottok", spelling), 200, logged=True)


def _in_refused_payloads(scene: Scene, mark: Mark) -> Iterator[Canary]:
    payload = {"a": [{"Hottok": mark.text}, {"hottok": mark.number}]}
    good = _recording(scene, payload)
    nowhere = _recording(scene, payload) | {"org_id": fresh_id()}
    yield _canary("hottok: of an unknown org", nowhere, 404, logged=True)
    lost = _recording(scene, payload, connection_id=fresh_id())
    yield _canary("hottok: of an unknown connection", lost, 404, logged=True)
    yield _canary("hottok: under an id that was used", good | {"id": scene.used_id}, 409)
    yield _canary("hottok: of an unknown type", _recording(scene, payload) | {"type": "RECORD"}, 400)
    yield _canary("hottok: beside an unknown field", _recording(scene, payload, note="x"), 400)
    yield _canary("hottok: beside an empty error", _recording(scene, payload, error=""), 400)
    yield _canary("hottok: beside a NUL", _recording(scene, [payload, "a\0b"]), 400)
    yield _canary("hottok: beside NaN", _recording(scene, [payload, float("inf")]), 400)
    yield _canary("hottok: nested too deep", _recording(scene, _nested(payload, 60)), 400)
    yield _canary("hottok: in a payload that is too large", _recording(scene, [payload, "x" * 70_000]), 400)
    large = _recording(scene, [payload, TOO_LONG_TEXT])
    yield _canary("hottok: in an envelope that is too large", large, 413)
    yield _canary("hottok: beside the payload", _recording(scene, 1, hottok=mark.text), 400)
    yield _canary("hottok: beside the data", _recording(scene, 1) | {"HOTTOK": mark.number}, 400)
    twice = _canary("hottok: given twice", _recording(scene, payload), 400)
    body = twice.body.replace(b'"Hottok"', b'"hottok": 1, "hottok"')
    yield Canary(twice.name, twice.command_id, body, 400)


def _recording(scene: Scene, payload: Any, /, **more: Any) -> Json:
    data = {"connection_id": scene.connection_id, "payload": payload}
    return _envelope(scene, "RECORD_DLQ_EVENT", **data | more)


def _in_invalid_json(scene: Scene, mark: Mark) -> Iterator[Canary]:
    """Bodies that are not valid JSON, but in which a person could read the secret."""
    carriers = {
        "a password": _creation(scene, {"password": mark.text}),
        "a Meta token": _creation(scene, {"secrets": {"access_token": f"EAA{mark.text}{mark.text}"}}),
        "a reference": _envelope(scene, "CREATE_SECRET_REF", key_name="k", secret_id_ref=f"ghp_{mark.text}"),
        "hottok": _recording(scene, {"hottok": mark.text}),
        "a numeric hottok": _recording(scene, {"HOTTOK": mark.number}),
    }
    for name, envelope in carriers.items():
        body = json.dumps(envelope).encode()
        yield Canary(f"{name} after a BOM", envelope["id"], b"\xef\xbb\xbf" + body, 400, whole=False)
        for how, broken in _broken(body).items():
            yield Canary(f"{name} {how}", envelope["id"], broken, 400, whole=False)


def _broken(body: bytes) -> dict[str, bytes]:
    return {
        "cut short": body[:-2],
        "with more behind it": body + b"}",
        "followed by a second document": body + b"\n{}",
        "in single quotes": body.replace(b'"', b"'"),
        "with a comma too many": body[:-1] + b",}",
        "with escaped keys, cut short": body[:-2].replace(b"passwor", b"p\\u0061sswor").replace(b"tok", b"to\\u006B"),
        "in UTF-16": body.decode().encode("utf-16"),
        "beside lists nested too deep": body[:-1] + b', "more": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    }
