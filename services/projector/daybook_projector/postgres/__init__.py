"""The PostgreSQL edge: checkpoints, rows and quarantine, written in one transaction per batch."""
