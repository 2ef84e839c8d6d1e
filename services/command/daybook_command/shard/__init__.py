"""The shard: decides the commands of one partition. A plain state machine: events in, effects out, no I/O."""
