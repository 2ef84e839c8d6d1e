-- Users that a decision has named: the reference pins their row until an entry refers to it.
-- Made before audit_log, so that the attempt to delete such a user fails here, without a scan of the log.

CREATE TABLE daybook.known_users (
    user_id uuid PRIMARY KEY REFERENCES auth.users ON DELETE RESTRICT
);
