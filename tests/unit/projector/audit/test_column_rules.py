"""Each rule of an entry's columns, with the content of its finding (docs/verify.md)."""

from hashlib import sha256
from typing import Any

import pytest

from support.altered_log import (
    ANN,
    FAILED,
    ORG,
    REDACTED,
    Change,
    finding,
    in_columns,
    in_metadata,
    in_scope,
    with_other_data,
    without,
)
from support.chain import Json, jcs
from support.logbook import project


def at_fault(field: str, found: Any) -> Json:
    return {"check": "columns", "field": field, "found": found}


@pytest.mark.parametrize(
    ("changes", "field", "found"),
    [
        ([in_metadata(v=2)], "metadata_json.v", 2),
        ([in_metadata(v=True)], "metadata_json.v", True),
        ([REDACTED, in_metadata(commit=None)], "metadata_json.commit", None),
        ([in_metadata(principal=None)], "metadata_json.principal", None),
        ([in_metadata(request=1)], "metadata_json.request", 1),
        ([in_columns(action="PAINT_ORG")], "action", "PAINT_ORG"),
        ([in_columns(action=["RENAME_ORG"])], "action", ["RENAME_ORG"]),
        ([*FAILED, in_columns(action="ESCALATE_ALERT")], "action", "ESCALATE_ALERT"),
        ([in_columns(result="maybe")], "result", "maybe"),
        ([in_columns(entity_type=None)], "entity_type", None),
        ([in_columns(entity_id=None)], "entity_id", None),
        ([in_columns(entity_id=ORG.upper())], "entity_id", ORG.upper()),
        ([in_columns(org_id=None)], "org_id", None),
        ([*FAILED, in_columns(org_id="x")], "org_id", "x"),
        ([in_columns(project_id="x")], "project_id", "x"),
        ([in_columns(project_id=ORG + "\n")], "project_id", ORG + "\n"),
        ([in_columns(actor_user_id=0)], "actor_user_id", 0),
        ([in_metadata(error=None)], "metadata_json.error", None),
        ([in_columns(result="failure"), in_metadata(error="x")], "metadata_json.error", "x"),
        ([in_columns(result="failure"), in_metadata(error={"code": "x"})], "metadata_json.error", {"code": "x"}),
        (
            [in_columns(result="failure"), in_metadata(error={"code": "x", "detail": 1})],
            "metadata_json.error",
            {"code": "x", "detail": 1},
        ),
        ([in_metadata(entries=1)], "metadata_json.entries", 1),
        ([in_metadata(entries=1001)], "metadata_json.entries", 1001),
        ([in_metadata(entries="2")], "metadata_json.entries", "2"),
        ([in_scope("outsider", ANN)], "metadata_json.scope", "outsider"),
        ([in_scope("user")], "metadata_json.scope", "user"),
        ([in_columns(action="REGISTER_USER")], "metadata_json.scope", "org"),
        ([in_columns(org_id=project(9))], "metadata_json.key", ORG),
        ([in_columns(action="REGISTER_USER"), in_scope("user")], "metadata_json.key", ORG),
        ([*FAILED, in_columns(org_id=None)], "metadata_json.key", ORG),
        ([*FAILED, in_columns(org_id=None), with_other_data([])], "metadata_json.key", ORG),
    ],
)
def test_the_finding_names_the_first_column_rule_that_fails(changes: list[Change], field: str, found: Any) -> None:
    assert finding(*changes) == at_fault(field, found)


def test_the_column_rules_are_tried_in_order() -> None:
    broken = [
        ("metadata_json.v", in_metadata(v=0)),
        ("metadata_json.principal", in_metadata(principal=0)),
        ("metadata_json.request", in_metadata(request=0)),
        ("action", in_columns(action="X")),
        ("result", in_columns(result="X")),
        ("entity_type", in_columns(entity_type=0)),
        ("entity_id", in_columns(entity_id="X")),
        ("org_id", in_columns(org_id="X")),
        ("project_id", in_columns(project_id="X")),
        ("actor_user_id", in_columns(actor_user_id="X")),
        ("metadata_json.error", in_metadata(error={"code": "X"})),
        ("metadata_json.entries", in_metadata(entries=0)),
        ("metadata_json.scope", in_scope("user")),
        ("metadata_json.key", in_columns(org_id=project(9))),
    ]
    for at, (field, _) in enumerate(broken):
        changes = [change for _, change in reversed(broken[at:])]
        assert finding(*changes)["field"] == field


@pytest.mark.parametrize(
    ("gone", "field"),
    [
        ("entity_type", "entity_type"),
        ("org_id", "org_id"),
        ("project_id", "project_id"),
        ("actor_user_id", "actor_user_id"),
        (".principal", "metadata_json.principal"),
        (".entries", "metadata_json.entries"),
        (".v", "metadata_json.v"),
    ],
)
def test_the_finding_about_a_missing_member_has_no_found_value(gone: str, field: str) -> None:
    assert finding(without(gone)) == {"check": "columns", "field": field}


def test_a_long_value_is_shown_as_its_hash() -> None:
    long = "x" * 300
    assert finding(in_columns(result=long)) == at_fault("result", "sha256:" + sha256(jcs(long)).hexdigest())


@pytest.mark.parametrize("change", [in_columns(more=1), in_metadata(more=None)])
def test_the_finding_about_unknown_members_names_no_field(change: Change) -> None:
    assert finding(change) == {"check": "columns"}


def test_unknown_members_are_checked_after_the_rules() -> None:
    assert finding(in_columns(more=1), in_metadata(v=3)) == at_fault("metadata_json.v", 3)
