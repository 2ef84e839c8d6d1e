"""Hypothesis strategies for valid commands that are not in normal form: ids in any case, spaces around names, nulls."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from daybook_contracts.commands.registry import COMMANDS
from support.chain import Json
from support.draws import Draws, EvenRandom
from support.workload_kinds import DATA
from support.world import CREATED, new_org

_SAFE = 2**53 - 1


def spelled(canonical: str) -> st.SearchStrategy[str]:
    """An id in any case."""
    return st.sampled_from([canonical, canonical.upper(), canonical.title()])


uuids = st.uuids(version=4).map(str).flatmap(spelled)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
names = st.builds(
    lambda before, name, after: f"{before}{name}{after}",
    st.text(" \t\n\u2003", max_size=2),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(lambda name: name.strip()),
    st.text(" \u00a0", max_size=2),
)
numbers = st.one_of(
    st.integers(-_SAFE, _SAFE),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: not x.is_integer() or abs(x) <= _SAFE),
)
keys = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(keys, values, max_size=4)
configs = st.dictionaries(st.text("xyz\u00e9\U0001f600", min_size=1), numbers | st.booleans() | st.none(), max_size=4)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


@dataclass(frozen=True, slots=True)
class UntidyDraws(Draws):
    """Random values for commands, not in normal form."""

    draw: st.DrawFn

    def id(self) -> str:
        return self.draw(uuids)

    def name(self) -> str:
        return self.draw(names)

    def key_name(self) -> str:
        return self.draw(names)

    def text(self) -> str:
        return self.draw(texts)

    def value(self) -> Any:
        return self.draw(values)


@st.composite
def envelopes(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(COMMANDS)) -> Json:
    """An envelope of one of the types, as a JSON object. Optional fields may be missing or null."""
    kind, users = draw(st.sampled_from(kinds)), [draw(uuids)]
    draws = UntidyDraws(EvenRandom(draw(st.randoms(use_true_random=False))), users, draw)
    data = DATA[kind](draws, new_org("", users[0]))
    if kind in CREATED and draws.chance(0.5):
        data[CREATED[kind][1]] = draws.id()
    if "config" in data:
        data["config"] = draw(configs)
    fields = COMMANDS[kind].model_fields["data"].annotation.model_fields  # type: ignore[union-attr]
    data |= {
        name: None
        for name, field in fields.items()
        if not field.is_required() and name not in data and draws.chance(0.5)
    }
    org_id = None if kind == "REGISTER_USER" else draws.id()
    return {"id": draws.id(), "type": kind, "org_id": org_id, "actor_user_id": draw(optional(uuids)), "data": data}
