"""Sends commands to Daybook over HTTP or Kafka and tells their outcomes apart: accepted, rejected, or unknown.

`import daybook_client` loads neither httpx, aiokafka nor pydantic; they load when a connection is first used.
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
