"""Random JSON values that have a canonical form, with many edge cases on which encoders differ."""

import struct
from collections.abc import Iterator
from math import inf, nextafter
from random import Random

from hypothesis import strategies as st

_MAX_SAFE = 2**53 - 1
_EDGES = [1.0, -0.0, 1e-6, 1e-7, 1e-4, 9.9e-5, 1e15, 1e16, 2.0**53, 1e20, 1e21, 1e22, 5e-324, 0.1, 1.5, 123456.75]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["\x00\x1f\x7f\x80\u2028\u2029", "\ue000", "\uffff", "\U00010000", "😀", '","data":', '\\"hash":"', "é"]
)
numbers = (
    st.integers(-_MAX_SAFE, _MAX_SAFE)
    | st.sampled_from(_EDGES)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(1e-6, 1e17)
)


def double_of(bits: int) -> float:
    (number,) = struct.unpack(">d", bits.to_bytes(8, "big"))
    return float(number)


any_doubles = st.integers(0, 2**64 - 1).map(double_of)


def doubles(seed: int) -> Iterator[float]:
    """Doubles of every range: around each power of ten and of two, around 2**53, random decimals of a few digits, and
    random bits, which include NaN and infinities.
    """
    rng = Random(seed)
    centres = [float(f"{digits}e{power}") for power in range(-324, 309) for digits in ("1", "9.5", str(rng.random()))]
    centres += [2.0**power for power in range(-1074, 1024)]
    for centre in centres:
        yield from (centre, -centre, nextafter(centre, inf), nextafter(centre, -inf))
    yield from (float(2**53 + step) for step in range(-64, 65))
    yield from (2.0**52 + step / 2 for step in range(-64, 65))
    yield from (round(10 ** rng.uniform(-9, 23), rng.randrange(9)) for _ in range(5_000))
    yield from (float(int(10 ** rng.uniform(0, 23))) for _ in range(2_000))
    yield from (double_of(rng.getrandbits(64)) for _ in range(5_000))


def json_values(max_leaves: int = 20) -> st.SearchStrategy[object]:
    leaves: st.SearchStrategy[object] = st.none() | st.booleans() | numbers | texts
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
        max_leaves=max_leaves,
    )


def json_objects(max_leaves: int = 20) -> st.SearchStrategy[dict[str, object]]:
    return st.dictionaries(texts, json_values(max_leaves), max_size=5)
