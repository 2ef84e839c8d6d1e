-- Orgs, projects and who belongs to them.

CREATE TYPE public.org_role AS ENUM ('owner', 'admin', 'member', 'viewer');

CREATE TABLE public.orgs (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE public.org_members (
    org_id uuid NOT NULL REFERENCES public.orgs,
    user_id uuid NOT NULL REFERENCES auth.users ON DELETE RESTRICT,
    role public.org_role NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, user_id)
);

CREATE INDEX org_members_user_id ON public.org_members (user_id);

CREATE TABLE public.projects (
    id uuid PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES public.orgs,
    name text NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE INDEX projects_org_id ON public.projects (org_id);

CREATE TABLE public.project_members (
    project_id uuid NOT NULL REFERENCES public.projects,
    user_id uuid NOT NULL REFERENCES auth.users ON DELETE RESTRICT,
    role text NOT NULL CHECK (role IN ('admin', 'editor', 'viewer')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, user_id)
);

CREATE INDEX project_members_user_id ON public.project_members (user_id);
