"""JSON: parsing (`strict`), counting its values before parsing (`counts`), and hashing it (`canonical`, RFC 8785)."""
