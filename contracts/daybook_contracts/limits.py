"""The bounds of what a command may hold. Sizes are bytes, lengths are code points."""

ENVELOPE_BYTES = 256 * 1024
PAYLOAD_BYTES = 64 * 1024  # of a dead letter's payload and of a run's stats, as RFC 8785 bytes
BATCH_BYTES = 4 * 1024 * 1024
BATCH_ITEMS = 1000
ENVELOPE_VALUES = 10_000  # JSON values, arrays and objects included: what a body costs grows with them
BATCH_VALUES = 100_000
DEPTH = 32  # the envelope is 1
INTEGER = 2**53 - 1  # beyond it doubles skip integers, so two readers would disagree
NAME_LENGTH = 200
TEXT_LENGTH = 4000
BULK_IDS = 1000
RETRY_COUNT = 2**31 - 1  # the column is an integer
IDEMPOTENCY_KEY_LENGTH = 255
ENTRIES = 1000  # of one command; a handful is written, and readers compute an id for each that is claimed

REMAINING_COUNTED = 10_000  # what a filter leaves is counted so far; one more stands for more

ORG_MEMBERS = 100_000
ORG_PROJECTS = 10_000
ORG_CONNECTIONS = 10_000
ORG_SECRET_REFS = 10_000

DEAD_LETTER_BYTES = 5 * 1024 * 1024  # what the dead-letter topic takes, and no producer of ours sends more
