"""Folds the log into tables beside the live ones, and corrects the live rows that differ (docs/log.md, rules 13 and
16).
"""
