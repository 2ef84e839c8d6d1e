-- only: managed
-- With DAYBOOK_USERS=external, auth.users is the identity provider's and is there already.

CREATE SCHEMA IF NOT EXISTS auth;

CREATE TABLE auth.users (
    id uuid PRIMARY KEY,
    created_at timestamptz NOT NULL
);
