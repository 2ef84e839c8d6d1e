"""Errors that a command line reports in one clear line, and a service reports before it stops. All others are bugs."""


class DaybookError(Exception):
    """The message is for people: what is wrong, and what to do about it. It never holds a secret."""


class SettingsError(DaybookError):
    """One line for each fault, which names its environment variable."""


class KafkaAway(DaybookError):
    """Kafka could not be reached, or did not answer in time."""


class DatabaseAway(DaybookError):
    """PostgreSQL could not be reached, broke off, lacks room, or did not answer in time. The statement may or may not
    have been carried out: retry.
    """
