"""`daybook audit explain`: the entries that made a row what it is."""
