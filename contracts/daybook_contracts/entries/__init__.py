"""Entries: their shape, ids and hashes, and the data of each action. `reading.read_entry` reads an entry."""
