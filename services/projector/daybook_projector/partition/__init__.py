"""One partition of the log, as plain state: records in, batches of rows out. No I/O."""
