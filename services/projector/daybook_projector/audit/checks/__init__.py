"""What a verifier holds of entries and rows, as pure functions (docs/verify.md)."""
