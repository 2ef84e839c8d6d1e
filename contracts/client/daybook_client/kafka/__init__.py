"""Sends commands over Kafka, reads their replies, and follows the log. Daybook's services use this too."""
