"""The independent fold of a log, kept on disk, and its comparison with the live tables."""
