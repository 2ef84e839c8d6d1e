"""The auditors' tools: a log from the topic, `audit_log` or an export in; proofs, past states and copies out."""
