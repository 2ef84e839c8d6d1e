"""The Kafka edge: the command consumer, the log, and every record that the service publishes."""
