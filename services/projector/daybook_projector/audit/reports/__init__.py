"""What auditors are given: certificates, and findings as text and JSON."""
