"""The PostgreSQL edge: everything that the service reads from the tables, and the ids that it reserves."""
