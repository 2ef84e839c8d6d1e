"""The AsyncAPI document of all four topics, and the route that serves it."""
