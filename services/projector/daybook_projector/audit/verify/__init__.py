"""`daybook audit verify`: reads every source once, partition by partition, and compares them."""
