-- The integration hub. Runs and dead letters go with their connection.
-- fillfactor 80 leaves room to update a row on its own page.

CREATE TABLE public.source_connections (
    id uuid PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES public.orgs,
    project_id uuid NOT NULL REFERENCES public.projects,
    type text NOT NULL,
    name text NOT NULL,
    config_json jsonb NOT NULL,
    is_active boolean NOT NULL
);

CREATE INDEX source_connections_org_id ON public.source_connections (org_id);
CREATE INDEX source_connections_project_id ON public.source_connections (project_id);

CREATE TABLE public.sync_runs (
    id uuid PRIMARY KEY,
    connection_id uuid NOT NULL REFERENCES public.source_connections ON DELETE CASCADE,
    status text NOT NULL CHECK (status IN ('running', 'success', 'failed', 'cancelled')),
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    error_message text
) WITH (fillfactor = 80);

-- The last runs of a connection; a running one has no finished_at.
CREATE INDEX sync_runs_connection_id ON public.sync_runs (connection_id, finished_at);
-- Those that may be overdue, of all connections.
CREATE INDEX sync_runs_running ON public.sync_runs (started_at) WHERE status = 'running';

CREATE TABLE public.dlq_events (
    id uuid PRIMARY KEY,
    connection_id uuid NOT NULL REFERENCES public.source_connections ON DELETE CASCADE,
    payload_json jsonb NOT NULL,
    status text NOT NULL CHECK (status IN ('pending', 'resolved')),
    retry_count integer NOT NULL CHECK (retry_count >= 0)
) WITH (fillfactor = 80);

-- The pending ones of a connection, by id.
CREATE INDEX dlq_events_connection_id ON public.dlq_events (connection_id, status, id);

CREATE TABLE public.integration_alerts (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES public.projects,
    severity text NOT NULL CHECK (severity IN ('critical', 'warning', 'info')),
    message text NOT NULL
);

CREATE INDEX integration_alerts_project_id ON public.integration_alerts (project_id);

CREATE TABLE public.secret_refs (
    id uuid PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES public.orgs,
    key_name text NOT NULL,
    secret_id_ref text NOT NULL,
    UNIQUE (org_id, key_name)
);
