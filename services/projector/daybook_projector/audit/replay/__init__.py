"""`daybook audit replay`: the tables as they were, in a schema of their own or compared with the live ones."""
