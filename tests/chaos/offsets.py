"""Takes the offsets out of Kafka's answers to appends, on their way through the proxy. A broker answers like this
if it already has a repeated batch, but no longer knows where. Kafka 4.3 always knows, so it never does this by itself.
"""

import re
import struct

# In an answer to a Produce request, versions 5 to 7: the topic, then the number of partitions. In an answer with
# metadata, another byte follows the topic, so that this does not match.
_APPENDED = re.compile(rb"audit_log\0\0\0([\x01-\xff])")
_PARTITION = struct.Struct(">ihqqq")
DUPLICATE_SEQUENCE_NUMBER, UNKNOWN = 46, -1


def without_offsets(chunk: bytes) -> bytes:
    """The chunk, with every successful append to the log answered without its offset."""
    changed = bytearray(chunk)
    for found in _APPENDED.finditer(chunk):
        end = min(found.end() + found[1][0] * _PARTITION.size, len(chunk))
        for start in range(found.end(), end - _PARTITION.size + 1, _PARTITION.size):
            partition, error, _, *more = _PARTITION.unpack_from(chunk, start)
            if not error:
                _PARTITION.pack_into(changed, start, partition, DUPLICATE_SEQUENCE_NUMBER, UNKNOWN, *more)
    return bytes(changed)
