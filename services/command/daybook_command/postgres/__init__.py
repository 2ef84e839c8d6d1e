"""The PostgreSQL edge: reads the tables, reserves chosen ids, and pins users."""
