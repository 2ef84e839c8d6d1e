"""Hypothesis strategies for commands as publishers may write them: right in content, untidy in form."""

from typing import Any

from hypothesis import strategies as st

from daybook_contracts.commands.registry import COMMANDS

Json = dict[str, Any]

_SAFE = 2**53 - 1


def spelled(canonical: str) -> st.SearchStrategy[str]:
    """An id in any case."""
    return st.sampled_from([canonical, canonical.upper(), canonical.title()])


uuids = st.uuids(version=4).map(str).flatmap(spelled)
chosen_ids = uuids
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
references = st.sampled_from(["env:SHOP_HOTTOK", "vault:kv/a/b#c", "gcp-sm:projects/p/secrets/s/versions/latest"])


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


roles = st.sampled_from(["owner", "admin", "member", "viewer"])
project_roles = st.sampled_from(["admin", "editor", "viewer"])
resolutions = st.sampled_from(["replayed", "manual", "duplicate", "discarded"])
bulk = st.one_of(
    st.lists(uuids, min_size=1, max_size=5).map(lambda ids: {"ids": ids}),
    optional(st.integers(0, 9)).map(lambda count: {"filter": {"max_retry_count": count}, "ids": None}),
)

DATA: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "REGISTER_USER": {"user_id": uuids},
    "CREATE_ORG": {"name": names},
    "RENAME_ORG": {"name": names},
    "ADD_MEMBER": {"user_id": uuids, "role": roles},
    "UPDATE_MEMBER": {"user_id": uuids, "role": roles},
    "REMOVE_MEMBER": {"user_id": uuids},
    "CREATE_PROJECT": {"name": names, "project_id": optional(chosen_ids)},
    "RENAME_PROJECT": {"project_id": uuids, "name": names},
    "ADD_PROJECT_MEMBER": {"project_id": uuids, "user_id": uuids, "role": project_roles},
    "UPDATE_PROJECT_MEMBER": {"project_id": uuids, "user_id": uuids, "role": project_roles},
    "REMOVE_PROJECT_MEMBER": {"project_id": uuids, "user_id": uuids},
    "CREATE_CONNECTION": {
        "project_id": uuids,
        "connection_id": optional(chosen_ids),
        "type": st.sampled_from(["hotmart", "meta_ads", "other_source2"]),
        "name": names,
        "config": configs,
    },
    "UPDATE_CONNECTION": {"connection_id": uuids, "name": names, "config": optional(configs)},
    "ACTIVATE_CONNECTION": {"connection_id": uuids, "reason": optional(texts)},
    "DEACTIVATE_CONNECTION": {"connection_id": uuids, "reason": optional(texts)},
    "DELETE_CONNECTION": {"connection_id": uuids},
    "START_SYNC": {"connection_id": uuids, "sync_run_id": optional(chosen_ids)},
    "COMPLETE_SYNC": {"sync_run_id": uuids, "stats": optional(objects)},
    "FAIL_SYNC": {"sync_run_id": uuids, "error_message": texts},
    "CANCEL_SYNC": {"sync_run_id": uuids, "reason": optional(texts)},
    "RECORD_DLQ_EVENT": {
        "connection_id": uuids,
        "dlq_event_id": optional(chosen_ids),
        "payload": values,
        "error": optional(texts),
    },
    "RETRY_DLQ_EVENT": {"dlq_event_id": uuids},
    "RESOLVE_DLQ_EVENT": {"dlq_event_id": uuids, "resolution": resolutions, "reason": optional(texts)},
    "RETRY_DLQ_EVENTS": {"connection_id": uuids},
    "RESOLVE_DLQ_EVENTS": {"connection_id": uuids, "resolution": resolutions, "reason": optional(texts)},
    "RAISE_ALERT": {
        "alert_id": optional(chosen_ids),
        "project_id": uuids,
        "connection_id": optional(uuids),
        "severity": st.sampled_from(["critical", "warning", "info"]),
        "message": texts,
    },
    "RESOLVE_ALERT": {"alert_id": uuids},
    "CREATE_SECRET_REF": {"secret_ref_id": optional(chosen_ids), "key_name": names, "secret_id_ref": references},
    "ROTATE_SECRET_REF": {"secret_ref_id": uuids, "secret_id_ref": references},
    "DELETE_SECRET_REF": {"secret_ref_id": uuids},
}


@st.composite
def envelopes(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(COMMANDS)) -> Json:
    """An envelope of one of the types, as a JSON object."""
    kind = draw(st.sampled_from(kinds))
    data = draw(st.fixed_dictionaries(DATA[kind]))
    if kind.endswith("_DLQ_EVENTS"):
        data = {**data, **draw(bulk)}
    org_id = None if kind == "REGISTER_USER" else draw(uuids)
    return {"id": draw(uuids), "type": kind, "org_id": org_id, "actor_user_id": draw(optional(uuids)), "data": data}
