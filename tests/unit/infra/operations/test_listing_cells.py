"""Cells of listings: times, durations and texts from other programs. Also: arguments that the subcommands refuse."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from click.testing import CliRunner

from daybook_infra.operations.cli import main
from daybook_infra.operations.commands.listing import MAX_TEXT, duration, one_line, utc
from daybook_infra.operations.commands.progress import progress

CONNECTION = "00000000-0000-4000-8000-00000000000c"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m 0s"),
        (3599, "59m 59s"),
        (7500, "2h 5m"),
        (86_400, "1d 0h"),
        (273_600, "3d 4h"),
        (-5, "0s"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, shown: str) -> None:
    assert duration(timedelta(seconds=seconds)) == shown


def test_times_are_rfc_3339_in_utc() -> None:
    moment = datetime(2026, 11, 22, 17, 10, 13, 5, tzinfo=timezone(timedelta(hours=2)))
    assert utc(moment) == "2026-11-22T15:10:13Z"
    assert utc(moment, "microseconds") == "2026-11-22T15:10:13.000005Z"
    assert utc(datetime(2026, 1, 1, tzinfo=UTC), "microseconds") == "2026-01-01T00:00:00.000000Z"


def test_foreign_text_is_printed_on_one_line_without_control_characters() -> None:
    assert one_line("a\nb\x1b[2Jc\x9bd\u202ee") == "a b [2Jc d e"
    assert one_line("é[red]") == "é[red]"


def test_long_text_is_shortened() -> None:
    assert one_line("x" * MAX_TEXT) == "x" * MAX_TEXT
    assert one_line("x" * 4000) == "x" * (MAX_TEXT - 1) + "…"


@pytest.mark.parametrize(
    "arguments",
    [
        ["alerts", "--severity", "loud"],
        ["runs", "--status", "done"],
        ["runs", "--limit", "0"],
        ["connections", "--org", "acme"],
        ["dlq", "retry"],
        ["dlq", "retry", "--connection", CONNECTION, "--max-retry-count", "101"],
        ["dlq", "retry", "--connection", CONNECTION, "--principal", "service:daybook"],
        ["dlq", "retry", "--connection", CONNECTION, "--principal", f"user:{CONNECTION}"],
        ["dlq", "resolve", "--connection", CONNECTION],
        ["dlq", "resolve", "--connection", CONNECTION, "--resolution", "forgotten"],
    ],
)
def test_invalid_arguments_are_refused(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


def test_without_a_terminal_short_work_prints_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(2000, "retries done") as advance:
        advance(1000)
        advance(1000)
    assert capsys.readouterr() == ("", "")
