"""The HTTP door: envelopes in, one clear answer to each out. It decides nothing; it publishes and waits."""
