"""`daybook audit restore-topic`: writes a lost log topic again from `audit_log`."""
