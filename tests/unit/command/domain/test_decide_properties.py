"""Properties that hold after every command of a random history, whoever sends it."""

import json
from collections.abc import Iterator

from hypothesis import given as given_any
from msgspec.structs import replace

from daybook_command.domain.decide import decide
from daybook_command.domain.decision import Acceptance, Rejection
from daybook_command.domain.evolve import evolve
from daybook_command.domain.state import Org
from daybook_contracts.codes import Code
from daybook_contracts.entries.facts import decode_fact
from daybook_contracts.senders.principals import User
from support.deciding import Deciders, append_decision
from support.given import EVE, ORG, Outcome, entry_of
from support.histories import ONE_ORG, histories
from support.logbook import Logbook
from support.publisher import Send
from support.seen import seen_by_deciders, seen_in_tables
from support.tables import Tables, fold, post
from support.workload import ELSEWHERE

COUNTED = {"RETRY_DLQ_EVENT", "RETRY_DLQ_EVENTS"}
"""Commands that increase a retry count, so repeating one changes something."""


class Replay:
    """The deciders, and the tables built from their entries."""

    def __init__(self) -> None:
        self.deciders = Deciders(owners=dict.fromkeys(ONE_ORG.taken, ELSEWHERE))
        self.tables: Tables = fold([])
        self._log = Logbook()

    def each(self, history: list[Send]) -> Iterator[tuple[Outcome, Org]]:
        """Each outcome with the org after it, starting when the org exists."""
        for send in history:
            outcome = self.deciders.decide(send)
            for value in append_decision(self._log, outcome):
                post(self.tables, json.loads(value))
            if (org := self.deciders.orgs.get(ORG)) is not None:
                yield outcome, org

    def ids(self, table: str) -> set[str]:
        return {id_ for id_, *_ in self.tables[table]}


def played(history: list[Send]) -> Iterator[tuple[Outcome, Org]]:
    return Replay().each(history)


@given_any(histories(ONE_ORG))
def test_an_org_always_has_an_owner_and_counts_its_owners_correctly(history: list[Send]) -> None:
    for _, org in played(history):
        assert org.owners == list(org.members.values()).count("owner") > 0


@given_any(histories(ONE_ORG))
def test_project_members_are_org_members_and_org_viewers_are_only_viewers(history: list[Send]) -> None:
    for _, org in played(history):
        for made in org.projects.values():
            for user_id, role in made.members.items():
                assert user_id in org.members
                assert role == "viewer" or org.members[user_id] != "viewer"


@given_any(histories(ONE_ORG))
def test_the_deciders_and_the_tables_see_the_same_state(history: list[Send]) -> None:
    replay = Replay()
    for _, org in replay.each(history):
        assert seen_by_deciders(org) == seen_in_tables(replay.tables)


@given_any(histories(ONE_ORG))
def test_entries_read_back_from_their_bytes_fold_to_the_same_org(history: list[Send]) -> None:
    folded = None
    for outcome, org in played(history):
        for entry in outcome.entries():
            if entry.error is None:
                folded = evolve(folded, entry.actor_user_id, decode_fact(entry.action, entry.data))
        assert folded == org


@given_any(histories(ONE_ORG))
def test_a_rejection_writes_one_failure_and_leaves_the_org_unchanged(history: list[Send]) -> None:
    for outcome, _ in played(history):
        if isinstance(outcome.decision, Rejection):
            outcome.then_rejected(outcome.decision.code)
            assert outcome.folded() is outcome.before


@given_any(histories(ONE_ORG))
def test_the_entries_of_an_accepted_command_have_the_columns_of_the_contract(history: list[Send]) -> None:
    for outcome, _ in played(history):
        if isinstance(outcome.decision, Acceptance):
            assert outcome.decision.entries == tuple(
                entry_of(entry.fact, outcome.command, outcome.before)
                for entry in outcome.decision.entries
                if entry.fact
            )


@given_any(histories(ONE_ORG))
def test_columns_name_only_things_that_exist_after_the_command(history: list[Send]) -> None:
    replay = Replay()
    for outcome, _ in replay.each(history):
        for entry in outcome.entries():
            assert entry.org_id in {None, ORG}
            assert entry.actor_user_id is None or entry.actor_user_id in replay.ids("auth.users")
            assert entry.project_id is None or entry.project_id in replay.ids("projects")


@given_any(histories(ONE_ORG))
def test_repeating_a_command_changes_nothing(history: list[Send]) -> None:
    replay = Replay()
    for outcome, _ in replay.each(history):
        if outcome.command.type in COUNTED:
            continue
        again = replay.deciders.given(outcome.command.key).when(outcome.command, outcome.context.principal)
        assert again.folded() == outcome.folded()
        if isinstance(again.decision, Acceptance):
            assert [getattr(entry.fact, "changed", None) for entry in again.decision.entries] == [False]


@given_any(histories(ONE_ORG))
def test_a_stranger_gets_the_same_answer_as_for_an_unknown_org(history: list[Send]) -> None:
    attempts = [each for each in played(history) if each[0].command.type not in {"REGISTER_USER", "CREATE_ORG"}]
    if not attempts:
        return
    attempt, org = attempts[-1]
    for user_id in {*ONE_ORG.users, EVE} - {*org.members}:
        tried = attempt.command.model_copy(update={"actor_user_id": user_id})
        context = replace(attempt.context, principal=User(user_id), known_users=set(ONE_ORG.users), taken_ids=set())
        refused = decide(tried, org, context)
        assert refused == decide(tried, None, context)
        assert isinstance(refused, Rejection)
        assert refused.code is Code.ORG_NOT_FOUND
