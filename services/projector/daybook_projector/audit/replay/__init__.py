"""`daybook audit replay`: the tables as they were, in a separate schema or compared with the live ones."""
