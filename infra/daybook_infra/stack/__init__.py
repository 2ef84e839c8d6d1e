"""The local Kafka and PostgreSQL: one interface, an embedded stack and one in Docker containers."""
