"""Rebuilds tables from the log beside the live ones, and corrects the rows that differ (docs/log.md,
rules 13 and 16).
"""
