"""PostgreSQL connections, privileges and migrations."""
