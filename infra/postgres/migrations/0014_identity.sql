-- Who asks, and where that user is a member: what the policies of row-level security stand on.

-- The user that a login speaks for. Written by an administrator; logins that speak for many users are not listed here.
CREATE TABLE daybook.reader_logins (
    login name PRIMARY KEY,
    user_id uuid NOT NULL
);

-- The user who asks; NULL if nobody can be told. Any login can set request.jwt.claims, so the claims count only if the
-- login itself, whatever role it has taken since, is a member of daybook_gateway.
-- Not parallel safe: PostgreSQL 16 and older start no subtransaction, as an exception handler needs it, in parallel mode.
CREATE FUNCTION daybook.uid() RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    -- to_regrole is NULL where `daybook init` could not make the role: then there is no gateway.
    IF pg_catalog.pg_has_role(session_user, pg_catalog.to_regrole('daybook_gateway'), 'MEMBER') THEN
        RETURN (nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::json ->> 'sub')::uuid;
    END IF;
    RETURN (SELECT listed.user_id FROM daybook.reader_logins AS listed WHERE listed.login = session_user);
EXCEPTION
    -- The claims are no JSON, or nest too deep, or their sub is no UUID.
    WHEN data_exception OR program_limit_exceeded THEN
        RETURN NULL;
END
$$;

-- The orgs in which the user who asks has one of these roles.
-- PL/pgSQL rather than SQL: its plan is kept for the session.
CREATE FUNCTION daybook.my_orgs(VARIADIC roles public.org_role[] DEFAULT '{owner,admin,member,viewer}') RETURNS uuid[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    me uuid := daybook.uid();
BEGIN
    RETURN ARRAY(
        SELECT mine.org_id FROM public.org_members AS mine WHERE mine.user_id = me AND mine.role = ANY (roles)
    );
END
$$;

-- The projects in which the user who asks has one of these roles. Owners and admins of an org need none.
CREATE FUNCTION daybook.my_projects(VARIADIC roles text[] DEFAULT '{admin,editor,viewer}') RETURNS uuid[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    me uuid := daybook.uid();
BEGIN
    RETURN ARRAY(
        SELECT mine.project_id FROM public.project_members AS mine WHERE mine.user_id = me AND mine.role = ANY (roles)
    );
END
$$;
