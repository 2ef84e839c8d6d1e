-- The pending dead letters of a connection that were retried at most so often: few among a million, when the others have
-- been retried already. Only what is pending pays for it; a retry does, for it changes the key.

CREATE INDEX dlq_events_retry_count ON public.dlq_events (connection_id, retry_count, id) WHERE status = 'pending';
