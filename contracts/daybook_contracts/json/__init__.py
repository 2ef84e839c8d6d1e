"""JSON as Daybook takes it (`strict`), counts it before parsing (`counts`) and hashes it (`canonical`, RFC 8785)."""
