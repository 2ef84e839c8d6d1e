-- A connection's running run, its last success and the failures since are read before its runs are decided on, and a
-- million cancelled runs between them must not be. The key begins with connection_id, as the cascade needs it.

CREATE INDEX sync_runs_connection_id_status ON public.sync_runs (connection_id, status, finished_at);
DROP INDEX public.sync_runs_connection_id;
