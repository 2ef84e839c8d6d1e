"""The read API: pages of the tables, and a live stream of an org's log entries. Row-level security decides what a
caller sees.
"""
