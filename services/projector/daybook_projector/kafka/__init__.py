"""The Kafka edge: the consumer of the log and the bounds of its partitions."""
