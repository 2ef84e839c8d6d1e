-- The orders of the read API's collections. Each page is read from an index, whatever the page's depth.
-- Runs and alerts are read as branches: those of one connection with one status, or of one project with one severity.
-- Dead letters have such an index already.

CREATE INDEX sync_runs_started_at ON public.sync_runs (connection_id, status, started_at, id);

CREATE INDEX integration_alerts_severity ON public.integration_alerts (project_id, severity, id);
DROP INDEX public.integration_alerts_project_id;

CREATE INDEX projects_of_org ON public.projects (org_id, id);
DROP INDEX public.projects_org_id;

CREATE INDEX source_connections_of_org ON public.source_connections (org_id, id);
DROP INDEX public.source_connections_org_id;

CREATE INDEX secret_refs_of_org ON public.secret_refs (org_id, id);
