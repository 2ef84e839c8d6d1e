"""Secrets in commands: finding them, removing them, and the references that are used instead of them."""
