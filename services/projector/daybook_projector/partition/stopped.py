"""The one way in which a partition ends while others go on."""


class PartitionStopped(Exception):
    """People have to look at it: going on would lose or invent something. The message names the entry or the user."""
