"""Healing rebuilds an org's rows from `audit_log` and releases the org from quarantine (docs/log.md, rule 13)."""
