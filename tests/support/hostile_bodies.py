"""Named bodies that are made to be slow to parse, and valid bodies of any size to compare them with."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from daybook_contracts.limits import BATCH_BYTES, ENVELOPE_BYTES

_ID: Final = "01890000-0000-7000-8000-000000000002"
_ORG: Final = "00000000-0000-4000-8000-000000000001"
_CHUNK: Final = '{"k":12,"v":"' + "a text of a config " * 8 + '"},'
_SMALLEST: Final = 512
PARAMETERS: Final = {
    "a parameter": "?k1key=a&",
    "parameters": "".join(f"?k{at}key=a&x{at}_token_type=a&#a_key=" for at in range(100)),
}
"""Texts that look like URL parameters with secret values."""


def _envelope(kind: str, data: str, more: str = "") -> bytes:
    return f'{{"id":"{_ID}","type":"{kind}","org_id":"{_ORG}",{more}"data":{data}}}'.encode()


def _connection(config: str, more: str = "") -> bytes:
    data = f'{{"project_id":"{_ORG}","type":"shop","name":"n","config":{{"a":{config}}}}}'
    return _envelope("CREATE_CONNECTION", data, more)


def _filled(size: int, unit: str) -> str:
    """An array of as many units as fit into an envelope of `size` bytes."""
    room = size - len(_connection("[]")) - 64
    return f"[{(unit * max(0, room // len(unit))).rstrip(',')}]"


def valid_envelope(size: int) -> bytes:
    """A command of exactly `size` bytes, but at least 512. The largest one has about 4,700 values."""
    size = max(size, _SMALLEST)
    body = _connection(_filled(size - 64, _CHUNK))
    return body.replace(b'"name":"n"', b'"name":"n"' + b" " * (size - len(body)))


def valid_batch(size: int) -> bytes:
    """A batch of about `size` bytes, with up to 1,000 commands."""
    each = size // 1000 - 1
    one = valid_envelope(each) if each >= _SMALLEST else _rename("x" * max(1, each - 180))
    return b"[" + b",".join([one] * max(1, min(1000, size // (len(one) + 1)))) + b"]"


def _wide(size: int) -> str:
    return _filled(size, "{},")


def _array(unit: str, count: int) -> str:
    return "[" + ",".join([unit] * count) + "]"


def _object(members: str) -> str:
    return "[{" + members + "}]"


def _keys(count: int, name: Callable[[int], str] = "f{}".format) -> str:
    return ",".join(f'"{name(index)}":1' for index in range(count))


def _ids(count: int, one: str) -> bytes:
    data: dict[str, Any] = {"connection_id": _ORG, "ids": [one] * count}
    return _envelope("RETRY_DLQ_EVENTS", json.dumps(data))


def _rename(name: str) -> bytes:
    return _envelope("RENAME_ORG", json.dumps({"name": name}, ensure_ascii=False))


def _record(payload: str, more: str = "") -> bytes:
    return _envelope("RECORD_DLQ_EVENT", f'{{"connection_id":"{_ORG}","payload":{payload}{more}}}')


def _parameters(size: int) -> Iterator[tuple[str, bytes]]:
    for name, unit in PARAMETERS.items():
        text = unit * (size // len(unit))
        yield f"{name} in a config", _connection(f'"{text}"')
        yield f"{name} as a field's name", _connection(f'{{"{text}":"x"}}')
        yield f"{name} in an error", _record("1", f',"error":"{text}"')
        yield f"{name} and a secret", _record("1", f',"error":"{text}?token=a"')


def envelopes() -> Iterator[tuple[str, bytes]]:
    """Single commands of at most 256 KiB."""
    most = ENVELOPE_BYTES
    yield "wide", _connection(_wide(most))
    yield "wide, then NaN", _connection(_wide(most - 16), '"x":NaN,')
    yield "wide, cut off", _connection(_wide(most))[:-1]
    yield "9,900 objects, then NaN", _connection(_array("{}", 9_900), '"x":NaN,')
    yield "9,900 objects, a key twice", _connection(_array("{}", 9_900), '"x":1,"x":1,')
    yield "deep", _connection("[" * (most // 2 - 200) + "]" * (most // 2 - 200))
    yield "deep, never closed", b"[" * most
    yield "900 deep", _connection("[" * 900 + "]" * 900)
    yield "keys given twice", _connection(_object(",".join(['"a":1'] * 9_900)))
    yield "one key of 9,900 twice", _connection(_object(_keys(9_900) + ',"f0":1'))
    yield "escaped keys given twice", _connection(_object(",".join(['"\\u0061":1'] * 9_900)))
    yield "unknown fields", _envelope("RENAME_ORG", "{}", f"{_keys(9_900)},")
    yield "unknown fields of data", _envelope("RENAME_ORG", f"{{{_keys(9_900)}}}")
    yield "6,500 ids", _ids(6_500, _ID)
    yield "9,900 bad ids", _ids(9_900, "x")
    yield "1,000 bad ids", _ids(1_000, "x" * 200)
    yield "a huge string", _rename("x" * (most - 300))
    yield "a name of combining marks", _rename("a" + "\u0323\u0307" * 60_000)
    yield "a huge number", _connection("1" * (most - 300))
    yield "a huge fraction", _connection("0." + "1" * (most - 300))
    yield "escaped quotes", _rename("x").replace(b"x", b'\\"' * (most // 2 - 150))
    yield "backslashes", _rename("x").replace(b"x", b"\\\\" * (most // 2 - 150))
    yield "escapes", _rename("x").replace(b"x", b"\\u00e9" * (most // 6 - 50))
    yield "an incomplete escape", _rename("x").replace(b"x", b"\\u00e9" * (most // 6 - 50) + b"\\u00")
    yield "exponents", _connection(_filled(most, " " * 20 + "1.5e-9,"))
    yield "odd keys", _connection(_object(_keys(9_900, lambda index: chr(0x10000 + index))))
    yield "a payload of hottoks", _record(_array('{"HotTok":1}', 4_900))
    yield from _parameters(most - 400)
    yield "quotes", b'"' * most
    yield "commas", b"[" + b"," * (most - 2) + b"]"
    yield "colons", b"{" + b":" * (most - 2) + b"}"
    yield "the id, many times", b'{"x":NaN,' + b'"id":"%b",' % _ID.encode() * (most // 50) + b'"x":1}'
    yield "bytes that are not UTF-8", _rename("x").replace(b"x", b"\xff" * (most - 300))


def batches() -> Iterator[tuple[str, bytes]]:
    """Batches of at most 4 MiB."""
    most = BATCH_BYTES
    hostile = _connection(_wide(250_000), '"x":NaN,')
    yield "15 wide items with NaN", b"[" + b",".join([hostile] * 15) + b"]"
    within = _connection(_array("{}", 9_900), '"x":NaN,')
    yield "10 items of 9,900 objects with NaN", b"[" + b",".join([within] * 10) + b"]"
    large = valid_envelope(ENVELOPE_BYTES)
    yield "15 largest commands", b"[" + b",".join([large] * 15) + b"]"
    yield "1,000 tiny items", b"[" + b",".join([b"{}"] * 1000) + b"]"
    yield "1,000 tiny items with NaN", b"[" + b",".join([b'{"x":NaN}'] * 1000) + b"]"
    yield "1,000 small commands", b"[" + b",".join([_rename("x")] * 1000) + b"]"
    yield "90,000 tiny items", b"[" + b",".join([b"1"] * 90_000) + b"]"
    yield "2,000,000 tiny items", b"[" + b",".join([b"1"] * (most // 2 - 1)) + b"]"
    yield "1,000 items of unknown fields", b"[" + b",".join([b"{%b}" % _keys(95).encode()] * 1000) + b"]"
    yield "deep", b"[" * (most // 2) + b"]" * (most // 2)
    yield "90,000 brackets", b"[" * 45_000 + b"]" * 45_000
    yield "one item of 4 MiB", b"[" + _rename("x" * (most - 300)) + b"]"
    yield "quotes", b"[" + b'"' * (most - 2) + b"]"
    yield "commas", b"[" + b"," * (most - 2) + b"]"
    yield "escaped quotes", b'["' + b'\\"' * (most // 2 - 4) + b'"]'
    yield "backslashes", b'["' + b"\\\\" * (most // 2 - 4) + b'"]'
    yield "never closed", b"[" + _wide(most).encode()[:-1]
    yield "900 bad ids each", b"[" + b",".join([_ids(900, "x" * 20)] * 100) + b"]"
