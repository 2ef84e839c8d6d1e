"""Sends commands over Kafka and reads their replies. Also what Daybook's own processes connect to Kafka with."""
