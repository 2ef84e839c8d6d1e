-- Schema daybook: bookkeeping that read clients need not know, and the record of these files.

CREATE SCHEMA daybook;

CREATE TABLE daybook.migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
