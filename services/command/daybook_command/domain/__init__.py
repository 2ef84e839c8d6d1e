"""The business rules: how a command is decided, and how an entry changes an org. Pure functions over plain values.

One business noun is one file, in this order: state, target, rights, decide, evolve, then its handlers and folds.
registry.py collects handlers and folds; other packages call decide.py and evolve.py.
"""
