"""The engine: one worker for each partition, and what it reports."""
