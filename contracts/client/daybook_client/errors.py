"""The client's exceptions. Outcomes of commands, including rejections, are returned and never raised."""


class ClientError(Exception):
    """The message says what is wrong and what to do. It never contains a token or a key."""


class Misuse(ClientError):
    """The program or its configuration is wrong, so repeating the call does not help."""


class CredentialsRefused(ClientError):
    """Daybook or Kafka does not accept the token or the login. A request refused for this reason had no effect, but an
    earlier attempt of the same command may have had one: send the command again, with its id.
    """


class KafkaAway(ClientError):
    """Kafka could not be reached, or did not answer in time."""


class KafkaRefuses(KafkaAway):
    """Kafka refused this client: wrong credentials or a missing ACL."""


class LogChanged(ClientError):
    """The log is not the one that was read before: it has lost entries. Run `daybook audit verify` for details."""


class NotVisible(ClientError, LookupError):
    """The org or item does not exist, or the token's user may not see it."""
