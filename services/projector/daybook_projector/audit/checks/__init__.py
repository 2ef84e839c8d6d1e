"""The rules that a verifier applies to entries and rows, as pure functions (docs/verify.md)."""
