"""A client of Daybook: sends commands over HTTP or Kafka, with retries, and reads the tables and the log.

`import daybook_client` does not load httpx, aiokafka or pydantic. They are loaded when they are first needed.
"""

from daybook_client import commands
from daybook_client.command import Command, Id, new_id_of
from daybook_client.daybook import Daybook
from daybook_client.errors import ClientError, CredentialsRefused, LogChanged, Misuse, NotVisible
from daybook_client.outcomes import Accepted, Outcome, Rejected, Unknown
from daybook_contracts.codes import Code
from daybook_contracts.results import EntryRef

__all__ = [
    "Accepted",
    "ClientError",
    "Code",
    "Command",
    "CredentialsRefused",
    "Daybook",
    "EntryRef",
    "Id",
    "LogChanged",
    "Misuse",
    "NotVisible",
    "Outcome",
    "Rejected",
    "Unknown",
    "commands",
    "new_id_of",
]
