-- The latest failed runs of all connections: few among many, so that only a failing run pays for the index.
-- The running ones have sync_runs_running.

CREATE INDEX sync_runs_failed ON public.sync_runs (started_at) WHERE status = 'failed';
