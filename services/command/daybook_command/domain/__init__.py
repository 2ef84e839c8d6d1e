"""What is decided, and how an org changes: pure functions over plain values.

One business noun is one file, in this order: state, target, rights, decide, evolve, then its handlers and folds.
registry.py collects them; decide.py and evolve.py are the ways in.
"""
