"""The HTTP edge: health and metrics."""
