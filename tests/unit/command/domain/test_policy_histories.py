"""Random histories of two connections: the alerts that policies have open equal those that the history calls for.

The alerts are counted here a second time, from the commands' own facts alone: each question is asked of all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from hypothesis import given as each
from hypothesis import strategies as st

from daybook_command.domain.decision import Acceptance
from daybook_command.domain.state import Org
from daybook_contracts.entries.facts import (
    AlertResolved,
    ConnectionDeleted,
    DlqEventRecorded,
    DlqEventResolved,
    DlqEventsResolved,
    SyncCompleted,
    SyncFailed,
)
from daybook_contracts.entries.identity import policy_alert_id
from daybook_contracts.senders.principals import DAYBOOK
from support.given import ANN, IMPORTER, Given, command, given
from support.hub_scene import ADS, HUB, SHOP

BURST = 40
"""Three of them make a backlog critical."""

ACTIONS = ("start", "complete", "fail", "fail", "time out", "cancel", "record", "burst", "resolve one", "resolve all")
RARE = ("delete", "by hand sync_failing", "by hand dlq_backlog", "by hand sync_stalled")
steps = st.tuples(st.sampled_from((*ACTIONS, *ACTIONS, *RARE)), st.sampled_from((SHOP, ADS)))
histories = st.lists(steps, min_size=10, max_size=60)


@dataclass
class Watch:
    """What is open, and all that it follows from: how the finished runs of a connection ended, and what is pending."""

    open: dict[str, str] = field(default_factory=dict)
    ends: dict[str, list[bool]] = field(default_factory=lambda: {SHOP: [], ADS: []})
    pending: dict[str, str] = field(default_factory=dict)

    def tell(self, fact: msgspec.Struct, *, timed_out: bool) -> None:
        match fact:
            case SyncCompleted(connection_id=of):
                self.ends[of].append(True)
                self._close(of, "sync_failing", "sync_stalled")
            case SyncFailed(connection_id=of):
                self.ends[of].append(False)
                self._open(of, "sync_failing", "warning" if any([True, True, *self.ends[of]][-3:]) else "critical")
                if timed_out:
                    self._open(of, "sync_stalled", "critical")
            case DlqEventRecorded(connection_id=of):
                self.pending[fact.dlq_event_id] = of
                self._open(of, "dlq_backlog", "critical" if self._backlog(of) > 99 else "warning")
            case DlqEventResolved():
                self._resolve(fact.dlq_event_id)
            case DlqEventsResolved():
                for id_ in fact.ids:
                    self._resolve(id_)
            case ConnectionDeleted(connection_id=of):
                self._close(of, "sync_failing", "dlq_backlog", "sync_stalled")
            case AlertResolved():
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


def _said(action: str, of: str, org: Org) -> list[tuple[str, dict[str, Any]]]:
    """The commands of a step, on what is there; some of them are refused, which must change nothing."""
    connection = org.connections.get(of)
    running = (connection and connection.activity and connection.activity.running) or of
    letters = sorted(id_ for id_, letter in org.dead_letters.items() if letter.connection_id == of and letter.pending)
    run, record = {"sync_run_id": running}, ("RECORD_DLQ_EVENT", {"connection_id": of, "payload": None})
    one = {"dlq_event_id": letters[0] if letters else of, "resolution": "manual"}
    said: dict[str, list[tuple[str, dict[str, Any]]]] = {
        "start": [("START_SYNC", {"connection_id": of})],
        "complete": [("COMPLETE_SYNC", run)],
        "fail": [("FAIL_SYNC", {**run, "error_message": "down"})],
        "time out": [("FAIL_SYNC", {**run, "error_message": "TIMED_OUT"})],
        "cancel": [("CANCEL_SYNC", run)],
        "record": [record],
        "burst": [record] * BURST,
        "resolve one": [("RESOLVE_DLQ_EVENT", one)],
        "resolve all": [("RESOLVE_DLQ_EVENTS", {"connection_id": of, "filter": {}, "resolution": "manual"})],
        "delete": [("DELETE_CONNECTION", {"connection_id": of})],
    }
    by_hand = [("RESOLVE_ALERT", {"alert_id": policy_alert_id(of, action.removeprefix("by hand "))})]
    return said.get(action, by_hand)


def _decided(history: list[tuple[str, str]]) -> Iterator[tuple[Org, Watch]]:
    """The org and the watch after each command."""
    scene, watch, number = given(*HUB), Watch(), 0
    for action, of in history:
        assert scene.org is not None
        for type_, data in _said(action, of, scene.org):
            number += 1
            scene = _after(scene, watch, number, type_, data, timed_out=action == "time out")
            assert scene.org is not None
            yield scene.org, watch


def _after(scene: Given, watch: Watch, number: int, type_: str, data: dict[str, Any], *, timed_out: bool) -> Given:
    sent = command(
        type_, by=ANN if type_ == "DELETE_CONNECTION" else None, id_=f"01890000-0000-7000-8000-{number:012d}", **data
    )
    outcome = scene.when(sent, DAYBOOK if timed_out else IMPORTER)
    if isinstance(outcome.decision, Acceptance):
        own = outcome.decision.entries[0].fact
        if own is not None and getattr(own, "changed", None) is not False:
            watch.tell(own, timed_out=timed_out)
    return replace(scene, org=outcome.after())


@each(histories)
def test_the_open_alerts_are_those_that_the_history_calls_for(history: list[tuple[str, str]]) -> None:
    for org, watch in _decided(history):
        assert {id_: alert.severity for id_, alert in org.alerts.items()} == watch.open


@each(histories)
def test_what_a_connection_is_known_to_do_follows_from_its_history(history: list[tuple[str, str]]) -> None:
    for org, watch in _decided(history):
        for of, connection in org.connections.items():
            assert connection.activity is not None
            if of in watch.ends:
                failures = [True, *watch.ends[of]][::-1].index(True)
                assert connection.activity.failures == min(failures, 3)
                assert connection.activity.pending == list(watch.pending.values()).count(of)
