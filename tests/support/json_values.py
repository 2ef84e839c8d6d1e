"""Random JSON values that have a canonical form, dwelling on the edges where encoders differ."""

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


def json_values(max_leaves: int = 20) -> st.SearchStrategy[object]:
    leaves: st.SearchStrategy[object] = st.none() | st.booleans() | numbers | texts
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
        max_leaves=max_leaves,
    )


def json_objects(max_leaves: int = 20) -> st.SearchStrategy[dict[str, object]]:
    return st.dictionaries(texts, json_values(max_leaves), max_size=5)
