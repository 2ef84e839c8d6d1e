"""Secrets in commands: finding them, taking them out, and the references that stand for them."""
