"""Folding entries into an org: an entry that contradicts earlier ones, or that has no fold, is refused."""

import pytest

from daybook_command.domain.evolve import NotFoldable, evolve
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact
from support.given import ANN, BOB, fold, project

ACME = (facts.OrgCreated(name="Acme"), facts.MemberAdded(user_id=BOB, role="member"))


def test_registering_a_user_creates_no_org() -> None:
    assert fold([facts.UserRegistered(user_id=BOB)]) is None


def test_an_entry_that_changed_nothing_returns_the_same_org_object() -> None:
    org = fold(ACME)
    assert evolve(org, BOB, facts.OrgRenamed(name="Acme", changed=False)) is org


def test_folding_does_not_change_the_previous_org() -> None:
    before = fold(ACME)
    after = evolve(before, ANN, facts.MemberRemoved(user_id=BOB, project_ids=()))
    assert before == fold(ACME)
    assert before != after


def test_an_org_cannot_be_created_twice() -> None:
    with pytest.raises(NotFoldable, match="once"):
        fold([*ACME, facts.OrgCreated(name="Again")])


def test_an_org_without_a_founder_cannot_be_folded() -> None:
    with pytest.raises(NotFoldable, match="by a user"):
        evolve(None, None, facts.OrgCreated(name="Acme"))


@pytest.mark.parametrize(
    "fact", [facts.OrgRenamed(name="New"), facts.ProjectCreated(project_id=project(1), name="Web")]
)
def test_an_entry_before_its_org_cannot_be_folded(fact: Fact) -> None:
    with pytest.raises(NotFoldable, match="before its org"):
        evolve(None, ANN, fact)


@pytest.mark.parametrize(
    "fact",
    [
        facts.MemberRemoved(user_id=project(7), project_ids=()),
        facts.MemberRemoved(user_id=BOB, project_ids=(project(7),)),
        facts.ProjectMemberUpdated(project_id=project(7), user_id=BOB, role="viewer"),
    ],
)
def test_an_entry_that_names_something_missing_cannot_be_folded(fact: Fact) -> None:
    with pytest.raises(NotFoldable, match="that the org does not have"):
        fold([*ACME, fact])


def test_a_fact_without_a_fold_is_refused() -> None:
    with pytest.raises(NotFoldable, match="DlqFilter"):
        fold([*ACME, facts.DlqFilter()])
