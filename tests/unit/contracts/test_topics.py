"""Names of topics and consumer groups, and CloudEvents headers."""

from daybook_contracts.topics import RESULT_EVENT, Topics, entry_headers, event_headers


def test_every_name_has_the_prefix() -> None:
    topics = Topics("daybook.")
    assert (topics.commands, topics.audit_log) == ("daybook.commands", "daybook.audit_log")
    assert (topics.results, topics.commands_dlq) == ("daybook.results", "daybook.commands.dlq")
    assert (topics.command_group, topics.projector_group) == ("daybook.command", "daybook.projector")


def test_the_record_of_an_entry_has_cloud_events_headers() -> None:
    headers = entry_headers("id-1", "org-1", "2026-11-22T15:10:13.123456Z")
    assert dict(headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"id-1",
        "ce_type": b"daybook.entry.v1",
        "ce_source": b"/daybook/command",
        "ce_subject": b"org-1",
        "ce_time": b"2026-11-22T15:10:13.123456Z",
        "content-type": b"application/json",
    }


def test_the_trace_is_passed_on_if_there_is_one() -> None:
    assert entry_headers("id-1", "org-1", "now", b"00-trace")[-1] == ("traceparent", b"00-trace")
    assert event_headers(RESULT_EVENT, "id-1", "org-1", b"00-trace")[-1] == ("traceparent", b"00-trace")
    assert "traceparent" not in dict(event_headers(RESULT_EVENT, "id-1", "org-1"))
