"""The output of `daybook alerts`, `runs` and `connections` on a real PostgreSQL."""

import asyncio
import json
from typing import Any

import pytest

from daybook_infra.runtime.settings import Settings
from support import hub_rows as hub
from support.shell import invoke
from support.stack import FreshSettings


@pytest.fixture(scope="module")
def settings(lasting_settings: FreshSettings) -> Settings:
    settings = lasting_settings()
    asyncio.run(hub.fill(settings))
    return settings


def listed(settings: Settings, *arguments: str) -> list[dict[str, Any]]:
    result = invoke(settings, *arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert hub.SECRET not in result.stdout
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def ids(settings: Settings, *arguments: str) -> list[str]:
    return [row["id"] for row in listed(settings, *arguments)]


def test_the_worst_alerts_come_first(settings: Settings) -> None:
    rows = listed(settings, "alerts")
    assert [row["severity"] for row in rows] == ["critical"] * 2 + ["warning"] * 3 + ["info"]
    assert [row["id"] for row in rows[:2]] == [hub.BACKLOG_ALERT, hub.OTHER_ALERT]


def test_an_alert_names_its_connection_and_rule_if_known(settings: Settings) -> None:
    by_id = {row["id"]: row for row in listed(settings, "alerts")}
    subjects = {id_: (row["connection_id"], row["rule"]) for id_, row in by_id.items()}
    assert subjects == {
        hub.BACKLOG_ALERT: (hub.HOTMART, "dlq_backlog"),
        hub.FAILING_ALERT: (hub.ADS, "sync_failing"),
        hub.ADS_ALERT: (hub.ADS, None),
        hub.MANUAL_ALERT: (None, None),
        hub.REUSED_ALERT: (hub.ADS, None),
        hub.OTHER_ALERT: (None, None),
    }
    assert by_id[hub.MANUAL_ALERT] == {
        "id": hub.MANUAL_ALERT,
        "severity": "info",
        "org_id": hub.ACME,
        "project_id": hub.BLOG,
        "connection_id": None,
        "rule": None,
        "message": hub.MARKUP,
    }


def test_alerts_can_be_filtered(settings: Settings) -> None:
    assert ids(settings, "alerts", "--org", hub.OTHER) == [hub.OTHER_ALERT]
    assert ids(settings, "alerts", "--project", hub.BLOG) == [hub.MANUAL_ALERT]
    assert set(ids(settings, "alerts", "--connection", hub.ADS)) == {hub.FAILING_ALERT, hub.ADS_ALERT, hub.REUSED_ALERT}
    assert ids(settings, "alerts", "--connection", hub.HOTMART) == [hub.BACKLOG_ALERT]
    assert ids(settings, "alerts", "--connection", hub.FEED) == []
    assert ids(settings, "alerts", "--severity", "info", "--severity", "critical", "--org", hub.ACME) == [
        hub.BACKLOG_ALERT,
        hub.MANUAL_ALERT,
    ]


def test_running_and_failed_runs_are_listed_latest_first(settings: Settings) -> None:
    first, *others = listed(settings, "runs")
    assert [row["id"] for row in others] == [hub.RUNNING_SYNC, hub.OTHER_SYNC]
    assert first == {
        "id": hub.FAILED_SYNC,
        "status": "failed",
        "org_id": hub.ACME,
        "project_id": hub.SHOP,
        "connection_id": hub.ADS,
        "started_at": "2026-03-02T10:00:00.000000Z",
        "finished_at": "2026-03-02T12:05:00.000000Z",
        "error_message": hub.MARKUP,
    }
    assert (others[0]["started_at"], others[0]["finished_at"]) == ("2026-03-01T10:00:00.123456Z", None)


def test_runs_can_be_filtered(settings: Settings) -> None:
    assert ids(settings, "runs", "--org", hub.ACME) == [hub.FAILED_SYNC, hub.RUNNING_SYNC]
    assert ids(settings, "runs", "--project", hub.OTHER_PROJECT) == [hub.OTHER_SYNC]
    assert ids(settings, "runs", "--connection", hub.HOTMART) == [hub.RUNNING_SYNC]
    assert ids(settings, "runs", "--status", "success", "--status", "running") == [hub.COMPLETED_SYNC, hub.RUNNING_SYNC]
    assert ids(settings, "runs", "--status", "cancelled") == []


def test_only_inactive_connections_are_listed_unless_all_are_asked_for(settings: Settings) -> None:
    assert ids(settings, "connections") == [hub.ADS, hub.FEED, hub.OTHER_SHOP]
    assert ids(settings, "connections", "--type", "hotmart") == [hub.OTHER_SHOP]
    assert ids(settings, "connections", "--project", hub.SHOP, "--all") == [hub.ADS, hub.HOTMART]


def test_a_named_connection_is_listed_even_if_it_is_active(settings: Settings) -> None:
    assert listed(settings, "connections", "--connection", hub.HOTMART) == [
        {
            "id": hub.HOTMART,
            "type": "hotmart",
            "name": "Courses",
            "is_active": True,
            "org_id": hub.ACME,
            "project_id": hub.SHOP,
            "pending_dlq_events": 1001,
        }
    ]
    assert listed(settings, "connections", "--connection", hub.ADS)[0]["pending_dlq_events"] == 3


@pytest.mark.parametrize(
    ("name", "first"), [("alerts", hub.BACKLOG_ALERT), ("runs", hub.FAILED_SYNC), ("connections", hub.ADS)]
)
def test_a_note_on_stderr_says_that_there_are_more_rows(settings: Settings, name: str, first: str) -> None:
    result = invoke(settings, name, "--limit", "1", "--json")
    assert (result.exit_code, [row["id"] for row in json.loads(result.stdout)]) == (0, [first])
    assert result.stderr == "there are more than 1: narrow the search, or raise --limit\n"
    exactly = invoke(settings, name, "--limit", "1", "--org", hub.OTHER)
    assert (exactly.exit_code, exactly.stderr) == (0, "")


def test_a_table_has_a_line_per_row_with_complete_ids(settings: Settings) -> None:
    alerts, runs, connections = (invoke(settings, name).stdout for name in ("alerts", "runs", "connections"))
    assert ["critical", hub.BACKLOG_ALERT, hub.HOTMART, "dlq_backlog", "many"] in cells(alerts)
    assert ["info", hub.MANUAL_ALERT, "-", "-", *["late", "[31m", "[bold]since", "noon"]] in cells(alerts)
    assert ["failed", hub.FAILED_SYNC, hub.ADS, "2026-03-02T10:00:00Z", "2h", "5m"] in [
        line[:6] for line in cells(runs)
    ]
    assert ["no", hub.ADS, hub.ACME, "3", "meta_ads", "Campaigns"] in cells(connections)
    assert ">1000" in invoke(settings, "connections", "--all").stdout
    assert hub.SECRET not in alerts + runs + connections
    assert "\x1b" not in alerts + runs + connections


def cells(table: str) -> list[list[str]]:
    return [line.split() for line in table.splitlines()]


def test_an_empty_result_is_printed_as_a_sentence(settings: Settings) -> None:
    elsewhere = ("--org", hub.OTHER, "--project", hub.BLOG)
    assert invoke(settings, "alerts", *elsewhere).stdout == "no open alert\n"
    assert invoke(settings, "runs", *elsewhere).stdout == "no run with status running or failed\n"
    assert invoke(settings, "connections", *elsewhere).stdout == "no inactive connection\n"
    assert invoke(settings, "connections", "--all", *elsewhere).stdout == "no connection\n"


@pytest.mark.parametrize("name", ["alerts", "runs", "connections"])
@pytest.mark.parametrize("kind", ["org", "project", "connection"])
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
def test_an_unknown_id_is_an_error(settings: Settings, name: str, kind: str, options: list[str]) -> None:
    result = invoke(settings, name, f"--{kind}", hub.an_id(9), *options)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: there is no {kind} {hub.an_id(9)}\n"


@pytest.mark.parametrize("command", [("alerts",), ("runs",), ("connections",), ("dlq", "retry"), ("dlq", "resolve")])
def test_an_id_that_is_no_uuid_is_a_usage_error(settings: Settings, command: tuple[str, ...]) -> None:
    result = invoke(settings, *command, "--connection", "shop")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Invalid value for '--connection': 'shop' is not a valid UUID." in result.stderr


def test_a_database_without_migrations_is_one_clear_error(fresh_settings: FreshSettings) -> None:
    result = invoke(fresh_settings(init=False), "alerts")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: the database lacks ")
    assert len(result.stderr.splitlines()) == 1
