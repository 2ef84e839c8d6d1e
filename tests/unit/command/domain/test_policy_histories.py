"""Random histories of an org's connections: the open alerts are those that the history calls for.

They are derived a second time here, from the commands' own facts alone: each question is asked of all of them.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import msgspec
from hypothesis import given as each

from daybook_command.domain.decision import Acceptance
from daybook_command.domain.references import RULES
from daybook_command.domain.state import Org
from daybook_contracts.entries import facts
from daybook_contracts.entries.identity import policy_alert_id
from support.deciding import Deciders
from support.given import ANN, ORG
from support.histories import histories
from support.publisher import Send
from support.workload import Population, RandomCommands
from support.world import TIMEKEEPER

BURST = 40
"""Three of them make a backlog critical."""
WEIGHTS = {
    "CREATE_CONNECTION": 2,
    "DELETE_CONNECTION": 2,
    "START_SYNC": 12,
    "COMPLETE_SYNC": 4,
    "FAIL_SYNC": 12,
    "TIME_OUT": 6,
    "CANCEL_SYNC": 3,
    "RECORD_DLQ_EVENT": 12,
    "RESOLVE_DLQ_EVENT": 5,
    "RESOLVE_DLQ_EVENTS": 3,
    "RESOLVE_ALERT": 5,
}
WATCHED = Population([ORG], [ANN], weights=WEIGHTS, choosing=0.5, long_ago=0)


@dataclass
class Watch:
    """What is open, and all that it follows from: how the finished runs of a connection ended, and what is pending."""

    open: dict[str, str] = field(default_factory=dict)
    ends: defaultdict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    pending: dict[str, str] = field(default_factory=dict)

    def tell(self, fact: msgspec.Struct, *, timed_out: bool) -> None:
        match fact:
            case facts.SyncCompleted(connection_id=of):
                self.ends[of].append(True)
                self._close(of, "sync_failing", "sync_stalled")
            case facts.SyncFailed(connection_id=of):
                self.ends[of].append(False)
                self._open(of, "sync_failing", "warning" if any([True, True, *self.ends[of]][-3:]) else "critical")
                if timed_out:
                    self._open(of, "sync_stalled", "critical")
            case facts.DlqEventRecorded(connection_id=of):
                self.pending[fact.dlq_event_id] = of
                self._open(of, "dlq_backlog", "critical" if self._backlog(of) > 99 else "warning")
            case facts.DlqEventResolved():
                self._resolve(fact.dlq_event_id)
            case facts.DlqEventsResolved():
                for id_ in fact.ids:
                    self._resolve(id_)
            case facts.ConnectionDeleted(connection_id=of):
                self._close(of, "sync_failing", "dlq_backlog", "sync_stalled")
                self.ends.pop(of, None)
                self.pending = {id_: where for id_, where in self.pending.items() if where != of}
            case facts.AlertRaised():
                self.open[fact.alert_id] = fact.severity
            case facts.AlertResolved():
                del self.open[fact.alert_id]
            case _:
                pass

    def _backlog(self, of: str) -> int:
        return sum(connection_id == of for connection_id in self.pending.values())

    def _resolve(self, id_: str) -> None:
        of = self.pending.pop(id_)
        if not self._backlog(of):
            self._close(of, "dlq_backlog")

    def _open(self, of: str, rule: str, severity: str) -> None:
        alert_id = policy_alert_id(of, rule)
        self.open[alert_id] = "critical" if self.open.get(alert_id) == "critical" else severity

    def _close(self, of: str, *rules: str) -> None:
        for rule in rules:
            self.open.pop(policy_alert_id(of, rule), None)


def played(history: list[Send]) -> Iterator[tuple[Org, Watch]]:
    """The org and the watch after each command."""
    deciders, watch = Deciders(), Watch()
    for send in with_bursts(history):
        decision = deciders.decide(send).decision
        if isinstance(decision, Acceptance):
            own = decision.entries[0].fact
            if own is not None and getattr(own, "changed", None) is not False:
                watch.tell(own, timed_out=send.principal == TIMEKEEPER)
        if (org := deciders.orgs.get(ORG)) is not None:
            yield org, watch


def with_bursts(history: list[Send]) -> Iterator[Send]:
    """Every second dead letter comes many times, each with an id of its own."""
    for at, send in enumerate(history):
        yield send
        if send.command["type"] == "RECORD_DLQ_EVENT" and at % 2:
            data = {name: value for name, value in send.command["data"].items() if name != "dlq_event_id"}
            for number in range(1, BURST):
                id_ = f"01890000-0000-7000-8000-{at:06d}{number:06d}"
                yield Send(send.principal, {**send.command, "id": id_, "data": data})


@each(histories(WATCHED, 20, 60))
def test_the_open_alerts_are_those_that_the_history_calls_for(history: list[Send]) -> None:
    for org, watch in played(history):
        assert {id_: alert.severity for id_, alert in org.alerts.items()} == watch.open


@each(histories(WATCHED, 20, 60))
def test_what_a_connection_is_known_to_do_follows_from_its_history(history: list[Send]) -> None:
    for org, watch in played(history):
        for of, connection in org.connections.items():
            assert connection.activity is not None
            failures = [True, *watch.ends[of]][::-1].index(True)
            assert connection.activity.failures == min(failures, 3)
            assert connection.activity.pending == list(watch.pending.values()).count(of)


def test_the_histories_reach_what_they_are_for() -> None:
    """Each policy's alert of each severity, and failures and backlogs up to where they are no longer counted."""
    open_, failures, pending = set[tuple[str, str]](), set[int](), set[int]()
    for seed in range(30):
        for org, watch in played(RandomCommands(Random(seed), WATCHED).some(60)):
            rules = {policy_alert_id(of, rule): rule for of in org.connections for rule in RULES}
            open_ |= {(rules.get(id_, "by hand"), severity) for id_, severity in watch.open.items()}
            failures |= {connection.activity.failures for connection in org.connections.values() if connection.activity}
            pending |= {connection.activity.pending for connection in org.connections.values() if connection.activity}
    of_policies = {(rule, severity) for rule in ("sync_failing", "dlq_backlog") for severity in ("warning", "critical")}
    assert open_ >= of_policies | {("sync_stalled", "critical"), ("by hand", "info")}
    assert failures == {0, 1, 2, 3}
    assert {0, 1, 40, 100} <= pending
