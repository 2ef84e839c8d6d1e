"""The client passes the caller's trace context on, if there is one."""

import subprocess
import sys

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from daybook_client.http.session import request_headers
from daybook_client.traces import traceparent

TRACE, SPAN = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
EXPECTED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ALONE = (
    "import sys; from daybook_client.traces import traceparent; print(traceparent(), 'opentelemetry' in sys.modules)"
)


def test_the_traceparent_names_the_current_span() -> None:
    span = NonRecordingSpan(SpanContext(TRACE, SPAN, is_remote=False, trace_flags=TraceFlags(1)))
    with trace.use_span(span):
        assert traceparent() == EXPECTED
        assert request_headers(None, b"")["traceparent"] == EXPECTED


def test_without_a_span_there_is_no_traceparent() -> None:
    assert traceparent() is None
    assert "traceparent" not in request_headers("t", b"")


def test_a_program_without_opentelemetry_does_not_load_it() -> None:
    assert subprocess.check_output([sys.executable, "-c", ALONE], text=True).strip() == "None False"
