"""The chain of entries in a partition: sealing an entry onto it, the admission rule, and checkpoints."""
