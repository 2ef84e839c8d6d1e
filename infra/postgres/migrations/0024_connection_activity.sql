-- For each connection, what the command service would otherwise count in every look-up: its pending dead letters, how many
-- of its last runs failed in a row (cancelled ones neither count nor break), and its running run. Projected like the ten
-- tables. Counts have no CHECK: within a batch they may pass through any value.

-- Waits until batches in progress are written, and lets none begin before the rows of this table are there.
LOCK TABLE daybook.checkpoints IN SHARE ROW EXCLUSIVE MODE;

CREATE TABLE daybook.connection_activity (
    connection_id uuid PRIMARY KEY REFERENCES public.source_connections ON DELETE CASCADE,
    pending integer NOT NULL,
    failed_in_a_row integer NOT NULL,
    running_run_id uuid
) WITH (fillfactor = 50);

INSERT INTO daybook.connection_activity (connection_id, pending, failed_in_a_row, running_run_id)
SELECT c.id, coalesce(letters.pending, 0), coalesce(runs.failed, 0), runs.running
FROM public.source_connections AS c
LEFT JOIN (
    SELECT connection_id, count(*) AS pending FROM public.dlq_events WHERE status = 'pending' GROUP BY connection_id
) AS letters ON letters.connection_id = c.id
LEFT JOIN (
    SELECT r.connection_id,
        count(*) FILTER (WHERE r.status = 'failed' AND r.finished_at > coalesce(s.finished_at, '-infinity')) AS failed,
        (array_agg(r.id) FILTER (WHERE r.status = 'running'))[1] AS running
    FROM public.sync_runs AS r
    LEFT JOIN (
        SELECT connection_id, max(finished_at) AS finished_at FROM public.sync_runs WHERE status = 'success'
        GROUP BY connection_id
    ) AS s ON s.connection_id = r.connection_id
    GROUP BY r.connection_id
) AS runs ON runs.connection_id = c.id;
