"""The engine: a worker for each partition, and the reports to health, metrics and logs."""
