"""The HTTP door: publishes commands, waits for their results, and answers each."""
