"""The HTTP door: delivers the commands of requests, waits for their results, and answers the requests."""
