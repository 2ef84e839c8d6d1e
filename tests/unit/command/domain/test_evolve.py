"""Folding entries into an org: only what follows from the entries before it, and all that is decided today."""

import pytest

from daybook_command.domain.evolve import NotFoldable, evolve
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact
from support.given import ANN, BOB, fold, project

ACME = (facts.OrgCreated(name="Acme"), facts.MemberAdded(user_id=BOB, role="member"))


def test_a_registered_user_makes_no_org() -> None:
    assert fold([facts.UserRegistered(user_id=BOB)]) is None


def test_an_entry_that_changed_nothing_gives_the_very_same_org() -> None:
    org = fold(ACME)
    assert evolve(org, BOB, facts.OrgRenamed(name="Acme", changed=False)) is org


def test_folding_leaves_the_org_before_as_it_was() -> None:
    before = fold(ACME)
    after = evolve(before, ANN, facts.MemberRemoved(user_id=BOB, project_ids=()))
    assert before == fold(ACME)
    assert before != after


def test_an_org_is_not_created_twice() -> None:
    with pytest.raises(NotFoldable, match="once"):
        fold([*ACME, facts.OrgCreated(name="Again")])


def test_an_org_without_a_founder_is_not_folded() -> None:
    with pytest.raises(NotFoldable, match="by a user"):
        evolve(None, None, facts.OrgCreated(name="Acme"))


@pytest.mark.parametrize(
    "fact", [facts.OrgRenamed(name="New"), facts.ProjectCreated(project_id=project(1), name="Web")]
)
def test_nothing_is_folded_before_its_org(fact: Fact) -> None:
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
def test_nothing_is_folded_that_names_what_is_not_there(fact: Fact) -> None:
    with pytest.raises(NotFoldable, match="not there"):
        fold([*ACME, fact])


def test_a_fact_that_nothing_here_folds_is_refused() -> None:
    with pytest.raises(NotFoldable, match="DlqFilter"):
        fold([*ACME, facts.DlqFilter()])
