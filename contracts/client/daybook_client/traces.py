"""Finds the `traceparent` of the caller's current span, if the program uses OpenTelemetry."""

import sys


def traceparent() -> str | None:
    """The W3C Trace Context of the current span; None if there is no valid span. Does not import OpenTelemetry: a
    program that has not imported it has no span.
    """
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return None
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags):02x}"
