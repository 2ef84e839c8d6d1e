"""Kafka clients, topics and record batches."""
