"""The reports for auditors: certificates, and findings as text and JSON."""
