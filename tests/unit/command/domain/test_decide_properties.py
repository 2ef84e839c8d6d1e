"""What holds after every command of any history, whoever sends it."""

from hypothesis import given as given_any

from daybook_command.domain.decide import decide
from daybook_command.domain.decision import Acceptance, DecisionContext, Rejection
from daybook_command.domain.evolve import evolve
from daybook_contracts.codes import Code
from daybook_contracts.entries.facts import decode_fact
from daybook_contracts.senders.principals import User
from support.given import EVE, ORG, Given, event_of
from support.histories import TAKEN, Step, histories, play, steps
from support.history_data import PEOPLE
from support.seen import seen_by_deciders, seen_in_tables

COUNTED = {"RETRY_DLQ_EVENT", "RETRY_DLQ_EVENTS"}
"""Each one counts; that a command is decided once is not theirs to know."""


@given_any(histories)
def test_an_org_always_has_an_owner_and_knows_how_many(history: list[Step]) -> None:
    for outcome, _ in play(history):
        org = outcome.after()
        assert org is not None
        assert org.owners == list(org.members.values()).count("owner") > 0


@given_any(histories)
def test_nobody_is_in_a_project_without_being_in_the_org_and_org_viewers_are_viewers(history: list[Step]) -> None:
    for outcome, _ in play(history):
        org = outcome.after()
        assert org is not None
        for made in org.projects.values():
            for user_id, role in made.members.items():
                assert user_id in org.members
                assert role == "viewer" or org.members[user_id] != "viewer"


@given_any(histories)
def test_what_the_deciders_see_is_what_the_entries_post_to_the_tables(history: list[Step]) -> None:
    for outcome, tables in play(history):
        org = outcome.after()
        assert org is not None
        assert seen_by_deciders(org) == seen_in_tables(tables.rows)


@given_any(histories)
def test_entries_read_back_from_their_bytes_fold_to_the_same_org(history: list[Step]) -> None:
    org = None
    for outcome, _ in play(history):
        for draft in outcome.drafts():
            if draft.error is None:
                org = evolve(org, draft.actor_user_id, decode_fact(draft.action, draft.data))
        assert org == outcome.after()


@given_any(histories)
def test_a_rejection_is_one_failure_that_leaves_the_org_as_it_is(history: list[Step]) -> None:
    for outcome, _ in play(history):
        if isinstance(outcome.decision, Rejection):
            outcome.then_rejected(outcome.decision.code)
            assert outcome.after() is outcome.before


@given_any(histories)
def test_an_accepted_command_has_entries_with_the_columns_of_the_contract(history: list[Step]) -> None:
    for outcome, _ in play(history):
        if isinstance(outcome.decision, Acceptance):
            assert outcome.decision.entries == tuple(
                event_of(event.data, outcome.before) for event in outcome.decision.entries
            )


@given_any(histories)
def test_columns_name_only_what_exists_afterwards(history: list[Step]) -> None:
    for outcome, tables in play(history):
        for draft in outcome.drafts():
            assert draft.org_id in {None, ORG}
            assert draft.actor_user_id is None or draft.actor_user_id in tables.ids("auth.users")
            assert draft.project_id is None or draft.project_id in tables.ids("projects")


@given_any(histories)
def test_deciding_the_same_again_changes_nothing(history: list[Step]) -> None:
    for outcome, tables in play(history):
        after = outcome.after()
        if outcome.command.type in COUNTED:
            continue
        again = Given(after, frozenset(tables.ids("auth.users")), TAKEN).when(
            outcome.command, outcome.context.principal
        )
        assert again.after() == after
        if isinstance(again.decision, Acceptance):
            assert [getattr(event.data, "changed", None) for event in again.decision.entries] == [False]


@given_any(histories, steps)
def test_a_stranger_is_answered_as_if_there_were_no_org(history: list[Step], attempt: Step) -> None:
    *_, (last, _) = play(history)
    org = last.after()
    assert org is not None
    for user_id in (*PEOPLE, EVE):
        if user_id in org.members or attempt.type_ in {"REGISTER_USER", "CREATE_ORG"}:
            continue
        tried = attempt.command(99, org).model_copy(update={"actor_user_id": user_id})
        context = DecisionContext(User(user_id), last.context.new_id, set(PEOPLE), set(), managed_users=True)
        refused = decide(tried, org, context)
        assert refused == decide(tried, None, context)
        assert isinstance(refused, Rejection)
        assert refused.code is Code.ORG_NOT_FOUND
