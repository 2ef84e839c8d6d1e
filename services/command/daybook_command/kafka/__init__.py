"""The Kafka edge: consumes commands, reads and writes the log, and publishes the service's other records."""
