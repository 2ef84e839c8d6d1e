"""What services run on: settings, logs, health, and connections to Kafka, PostgreSQL and HTTP clients."""
