"""Errors whose messages are for users: the command line prints them, a service reports them and stops. Any other error
is a bug.
"""

from daybook_client import errors as client_errors


class DaybookError(Exception):
    """The message is for people: what is wrong, and what to do about it. It never holds a secret."""


class SettingsError(DaybookError):
    """A setting is wrong. The message has one line for each fault, with the name of the environment variable."""


class KafkaAway(DaybookError, client_errors.KafkaAway):
    """Kafka could not be reached, or did not answer in time."""


class DatabaseAway(DaybookError):
    """PostgreSQL could not be reached, closed the connection, lacks disk space or memory, or did not answer in time. It
    may or may not have carried out the statement: retry.
    """


class KafkaRefuses(KafkaAway, client_errors.KafkaRefuses):
    """Kafka answers, and refuses this client: wrong credentials, or a missing ACL."""


class DatabaseRefuses(DatabaseAway):
    """PostgreSQL answers, and refuses this login or a statement: a wrong password, no such database, a missing right or
    table.
    """
