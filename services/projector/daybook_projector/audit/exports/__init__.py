"""Exports: the log's entries in, folders with a manifest out, and the log followed live (docs/verify.md)."""
