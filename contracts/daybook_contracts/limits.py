"""The limits of commands and of orgs. Sizes are in bytes, lengths in code points."""

ENVELOPE_BYTES = 256 * 1024
PAYLOAD_BYTES = 64 * 1024  # a dead letter's payload, and a run's stats, in canonical JSON (RFC 8785)
BATCH_BYTES = 4 * 1024 * 1024
BATCH_ITEMS = 1000
ENVELOPE_VALUES = 10_000  # JSON values, including arrays and objects; the time to check a body grows with their number
ADDED_VALUES = 3  # the normal form always has `id`, `org_id` and `actor_user_id`, so it may have more than the text
BATCH_VALUES = 100_000
DEPTH = 32  # levels of nesting; the envelope is the first
MAX_SAFE_INTEGER = 2**53 - 1  # larger integers may not fit in a double, so two JSON readers could disagree on them
NAME_LENGTH = 200
TEXT_LENGTH = 4000
BULK_IDS = 1000
RETRY_COUNT = 2**31 - 1  # the largest value of PostgreSQL's type integer
LOG_BATCH_BYTES = 512 * 1024  # of a Kafka batch of entries; only a batch of a single command may be larger
IDEMPOTENCY_KEY_LENGTH = 255
ENTRIES = 1000  # of one command; Daybook writes fewer than 10, but readers compute ids for as many as an entry claims

REMAINING_COUNTED = 10_000  # how far a bulk command counts the items that still match its filter
MAX_REMAINING = REMAINING_COUNTED + 1  # reported if more items match than are counted

ORG_MEMBERS = 100_000
ORG_PROJECTS = 10_000
ORG_CONNECTIONS = 10_000
ORG_SECRET_REFS = 10_000

CORRELATION_ID_BYTES = 1024  # a longer one is not returned, since replies are not compressed
RECORD_HEADERS = 100  # of a Kafka record as sent; the headers of a record with more are not read
READ_HEADERS = RECORD_HEADERS + 1  # and the one that forwarding adds
DEAD_LETTER_BYTES = 5 * 1024 * 1024  # the largest record of the dead-letter topic, and of any producer of Daybook
