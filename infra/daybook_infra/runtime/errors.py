"""What a command line reports in one clear line and a service reports before it stops. Anything else is a bug."""


class DaybookError(Exception):
    """The message is for people: it says what is wrong and what to do; never a secret, never a traceback."""


class SettingsError(DaybookError):
    """One line per fault, each naming its environment variable."""


class KafkaAway(DaybookError):
    """Kafka could not be reached, or did not answer in time."""


class DatabaseAway(DaybookError):
    """PostgreSQL could not be reached, broke off, lacks room, or did not answer in time: retry, nothing is known."""
