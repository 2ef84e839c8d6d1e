"""Folds the log into separate tables, and corrects the live rows that differ (docs/log.md, rules 13 and 16)."""
