"""Healing: an org's rows are made anew from `audit_log`, and it is released from quarantine (docs/log.md, rule 13)."""
