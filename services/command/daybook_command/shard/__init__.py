"""The shard: the one decider of a partition, as a plain state machine (events in, effects out, no I/O)."""
