"""What the client raises. Outcomes of commands, rejections included, are values and never raised."""


class ClientError(Exception):
    """The message says what is wrong and what to do. It never holds a token or a key."""


class Misuse(ClientError):
    """The program is wrong: repeating the call will not help."""


class CredentialsRefused(ClientError):
    """Daybook or Kafka does not accept the token or the login. Commands that this stopped had no effect."""


class KafkaAway(ClientError):
    """Kafka could not be reached, or did not answer in time."""


class KafkaRefuses(KafkaAway):
    """Kafka answers, and refuses this client: wrong credentials, or a missing ACL."""


class LogChanged(ClientError):
    """The log is not the one that was read: entries of it are gone. Run `daybook audit verify` for details."""


class NotVisible(ClientError, LookupError):
    """What was to be read does not exist, or this token's user may not see it."""
