"""The projector: the log in, ten tables out, exactly once. It decides nothing."""
