"""The `daybook` command line and what its commands do."""
