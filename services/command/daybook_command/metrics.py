"""Every metric of the command service, with its help text. Labels have few values: partitions and fixed words."""

from prometheus_client import Counter, Gauge, Histogram

COMMANDS = Counter("daybook_command_commands_total", "Commands taken from the topic.", ["partition"])
LOCAL = Counter(
    "daybook_command_local_total",
    "Commands that the HTTP door gave to this instance's own shard in memory, without publishing them.",
    ["partition"],
)
LOST = Counter(
    "daybook_command_lost_total",
    "Commands in record batches that are not read because they are too large after decompression.",
    ["partition"],
)
ENTRIES = Counter(
    "daybook_command_entries_total",
    "Entries sent to the log. Entries of a lost or unknown batch count each time they are sent.",
    ["partition"],
)
BATCH_ENTRIES = Histogram(
    "daybook_command_batch_entries", "Entries per appended batch.", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
APPEND_SECONDS = Histogram("daybook_command_append_seconds", "Time from sending a batch to its acknowledgement.")
LOOKUP_SECONDS = Histogram("daybook_command_lookup_seconds", "Time to read one snapshot from PostgreSQL.")
TAKEOVER_SECONDS = Histogram("daybook_command_takeover_seconds", "Time from a partition's assignment to its readiness.")
VOIDS = Counter("daybook_command_voids_total", "Records on the log that do not extend it.", ["partition"])
REPORTS = Counter(
    "daybook_command_reports_total",
    "Unusual events of a shard: "
    "void, poison, lost, unknown, retake, refused, look_up_refused, decide_failed, user_gone.",
    ["kind"],
)
DEAD_LETTERS = Counter("daybook_command_dead_letters_total", "Commands written to the dead-letter topic.", ["code"])
FORWARDED = Counter("daybook_command_forwarded_total", "Commands forwarded to the partition that they belong to.")
TAIL = Gauge("daybook_command_tail_entries", "Entries that are not projected yet.", ["partition"])
TAIL_BYTES = Gauge(
    "daybook_command_tail_bytes",
    "Approximate memory, in bytes, of unprojected entries and of orgs beyond the cache's limit.",
    ["partition"],
)
CACHED_ORGS = Gauge("daybook_command_cached_orgs", "Orgs in memory.", ["partition"])
QUEUED = Gauge("daybook_command_queued_commands", "Commands that wait for a batch.", ["partition"])
QUEUED_BYTES = Gauge("daybook_command_queued_bytes", "Bytes of the commands that wait for a batch.", ["partition"])
PARTITION_GAUGES = (TAIL, TAIL_BYTES, CACHED_ORGS, QUEUED, QUEUED_BYTES)
ASSIGNED_PARTITIONS = Gauge("daybook_command_partitions", "Partitions that this instance owns.")

DOOR_SECONDS = Histogram(
    "daybook_door_request_seconds",
    "Time from a request's headers to the response's headers, including the wait for an outcome.",
    ["route", "status"],
)
DOOR_WAITING = Gauge("daybook_door_waiting_commands", "Commands of requests that wait for their outcome.")
DOOR_HELD = Gauge("daybook_door_held_bytes", "Bytes of the requests that are not answered yet.")
DOOR_PUBLISHED = Counter(
    "daybook_door_published_total",
    "Commands sent to Kafka, by fate: published, nothing_done, unknown.",
    ["fate"],
)
DOOR_FALLBACKS = Counter(
    "daybook_door_fallbacks_total",
    "Commands given to a shard in memory and then published after all, by reason: handed_back, half_wait, order.",
    ["reason"],
)
