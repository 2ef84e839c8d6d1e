"""The chain of entries in a partition: sealing an entry, the admission rule, heads and checkpoints."""
