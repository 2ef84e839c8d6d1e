"""What can happen next in the integration hub of one org: a small world of few ids, which are used again and again,
also after what bore them is gone.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact, free_json
from support.logbook import thing

LINKS, RUNS, LETTERS, ALERTS, REFS = 10, 20, 30, 40, 50
"""Where the numbers of each kind of thing begin, within an org's hundred."""


@dataclass
class Hub:
    """`runs`: to their connection, those that run in `running`; `letters`: to connection and retries, while pending."""

    number: int
    project_id: str
    links: set[str] = field(default_factory=set)
    runs: dict[str, str] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    letters: dict[str, tuple[str, int]] = field(default_factory=dict)
    resolved: dict[str, str] = field(default_factory=dict)
    alerts: dict[str, str] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def fact(self, kind: int, one: int, other: int) -> Fact | None:
        """One that can happen now, or None; the numbers choose what it is about."""
        return STEPS[kind](self, one, other)

    def id(self, kind: int, nth: int) -> str:
        return thing(self.number * 100 + kind + nth)


def create(hub: Hub, one: int, other: int) -> Fact | None:
    link = hub.id(LINKS, one)
    if link in hub.links:
        return None
    hub.links.add(link)
    config = free_json({"n": other, "text": "\u00fc"})
    return facts.ConnectionCreated(
        config=config, connection_id=link, name=f"{other}", project_id=hub.project_id, type="own"
    )


def change(hub: Hub, one: int, other: int) -> Fact | None:
    link = hub.id(LINKS, one)
    if link not in hub.links:
        return None
    if other == 1:
        return facts.ConnectionUpdated(connection_id=link, config=free_json({"changed": [1.5, None]}))
    return (
        facts.ConnectionDeactivated(connection_id=link) if other == 2 else facts.ConnectionActivated(connection_id=link)
    )


def delete(hub: Hub, one: int, _other: int) -> Fact | None:
    link = hub.id(LINKS, one)
    if link not in hub.links or any(hub.runs[run] == link for run in hub.running):
        return None
    hub.links.remove(link)
    hub.runs = {run: of for run, of in hub.runs.items() if of != link}
    hub.letters = {letter: row for letter, row in hub.letters.items() if row[0] != link}
    hub.resolved = {letter: of for letter, of in hub.resolved.items() if of != link}
    return facts.ConnectionDeleted(connection_id=link)


def start(hub: Hub, one: int, other: int) -> Fact | None:
    link, run = hub.id(LINKS, one), hub.id(RUNS, other)
    if link not in hub.links or run in hub.runs:
        return None
    hub.runs[run] = link
    hub.running.add(run)
    return facts.SyncStarted(connection_id=link, sync_run_id=run)


def end(hub: Hub, one: int, other: int) -> Fact | None:
    run = hub.id(RUNS, other)
    if run not in hub.running:
        return None
    hub.running.remove(run)
    link = hub.runs[run]
    if one == 1:
        return facts.SyncFailed(connection_id=link, sync_run_id=run, error_message="no")
    if other == 1:
        return facts.SyncCancelled(connection_id=link, sync_run_id=run)
    return facts.SyncCompleted(connection_id=link, sync_run_id=run)


def record(hub: Hub, one: int, other: int) -> Fact | None:
    link, letter = hub.id(LINKS, one), hub.id(LETTERS, other)
    if link not in hub.links or letter in hub.letters or letter in hub.resolved:
        return None
    hub.letters[letter] = link, 0
    payload = free_json([None, {"a": [1, "b"]}, "text", 1e-7][other])
    return facts.DlqEventRecorded(connection_id=link, dlq_event_id=letter, payload=payload)


def retry(hub: Hub, _one: int, other: int) -> Fact | None:
    letter = hub.id(LETTERS, other)
    if letter not in hub.letters:
        return None
    link, count = hub.letters[letter]
    hub.letters[letter] = link, count + 1
    return facts.DlqEventRetried(connection_id=link, dlq_event_id=letter, retry_count=count + 1)


def resolve(hub: Hub, _one: int, other: int) -> Fact | None:
    letter = hub.id(LETTERS, other)
    if letter not in hub.letters:
        return None
    link, _ = hub.letters.pop(letter)
    hub.resolved[letter] = link
    return facts.DlqEventResolved(connection_id=link, dlq_event_id=letter, resolution="manual")


def retry_many(hub: Hub, one: int, _other: int) -> Fact | None:
    link, ids = _pending(hub, one)
    for letter in ids:
        hub.letters[letter] = link, hub.letters[letter][1] + 1
    return facts.DlqEventsRetried(connection_id=link, ids=ids) if ids else None


def resolve_many(hub: Hub, one: int, _other: int) -> Fact | None:
    link, ids = _pending(hub, one)
    for letter in ids:
        del hub.letters[letter]
        hub.resolved[letter] = link
    return facts.DlqEventsResolved(connection_id=link, ids=ids, resolution="discarded") if ids else None


def _pending(hub: Hub, one: int) -> tuple[str, tuple[str, ...]]:
    link = hub.id(LINKS, one)
    return link, tuple(letter for letter, (of, _) in sorted(hub.letters.items()) if of == link)


def alarm(hub: Hub, one: int, other: int) -> Fact | None:
    alert, link = hub.id(ALERTS, one), hub.id(LINKS, one)
    if alert not in hub.alerts:
        hub.alerts[alert] = "warning"
        return facts.AlertRaised(alert_id=alert, project_id=hub.project_id, severity="warning", message="a")
    if other == 1 and hub.alerts[alert] == "warning":
        hub.alerts[alert] = "critical"
        return facts.AlertEscalated(
            alert_id=alert, connection_id=link, rule="dlq_backlog", severity="critical", message="b"
        )
    del hub.alerts[alert]
    return facts.AlertResolved(alert_id=alert)


def refer(hub: Hub, one: int, other: int) -> Fact | None:
    ref, key_name = hub.id(REFS, one), f"key {other}"
    if ref not in hub.refs:
        if key_name in hub.refs.values():
            return None
        hub.refs[ref] = key_name
        return facts.SecretRefCreated(secret_ref_id=ref, key_name=key_name, secret_id_ref="env:A")
    if other == 1:
        return facts.SecretRefRotated(secret_ref_id=ref, secret_id_ref="env:B")
    del hub.refs[ref]
    return facts.SecretRefDeleted(secret_ref_id=ref)


STEPS: tuple[Callable[[Hub, int, int], Fact | None], ...] = (
    create,
    create,
    record,
    record,
    change,
    start,
    end,
    retry,
    retry_many,
    resolve,
    resolve_many,
    delete,
    delete,
    alarm,
    refer,
    refer,
)
