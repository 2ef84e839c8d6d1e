"""The HTTP door: publishes the commands of requests, waits for their results, and answers the requests."""
