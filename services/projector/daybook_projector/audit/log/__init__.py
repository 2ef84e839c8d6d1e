"""Reading a log as one stream of entries, wherever it is kept."""
