-- migrate:up
-- What operators change is told apart from what workers write, so that a worker lists only what has changed.

-- Written by every transaction that changes what a worker must know of the row: which one that was.
ALTER TABLE syncer.calendar ADD COLUMN revision xid8 NOT NULL DEFAULT pg_current_xact_id();
ALTER TABLE syncer.tenant ADD COLUMN revision xid8 NOT NULL DEFAULT pg_current_xact_id();
-- Moved when a tenant or calendar went from the project: then everything must be listed again.
ALTER TABLE syncer.project ADD COLUMN revision xid8 NOT NULL DEFAULT pg_current_xact_id();

CREATE INDEX calendar_of_revision ON syncer.calendar (revision);
CREATE INDEX tenant_of_revision ON syncer.tenant (revision);

ALTER TABLE syncer.calendar ADD CONSTRAINT a_google_id_is_more_than_dots CHECK (google_id NOT IN ('.', '..'));

CREATE FUNCTION syncer.revise() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    NEW.revision := pg_current_xact_id();
    RETURN NEW;
END
$$;

-- Who asks for a calendar to be read anew must not be overtaken by a page of the read that is under way: what it says
-- is written down, but its cursor stays forgotten. A read that begins after that comes under a new generation.
CREATE FUNCTION syncer.revise_calendar() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    IF OLD.sync_token IS NULL AND OLD.page_token IS NULL AND OLD.generation > 0 AND NEW.generation = OLD.generation THEN
        NEW.sync_token := NULL;
        NEW.page_token := NULL;
        NEW.is_full_read := true;
        NEW.read_from := NULL;
    END IF;
    NEW.revision := pg_current_xact_id();
    RETURN NEW;
END
$$;
CREATE TRIGGER calendar_revised
BEFORE UPDATE OF google_id, subject, credential, addresses, state, next_look_at, sync_token, page_token
ON syncer.calendar FOR EACH ROW
WHEN ((OLD.google_id, OLD.subject, OLD.credential, OLD.addresses, OLD.state, OLD.next_look_at,
       OLD.sync_token IS NULL AND OLD.page_token IS NULL)
    IS DISTINCT FROM
    (NEW.google_id, NEW.subject, NEW.credential, NEW.addresses, NEW.state, NEW.next_look_at,
       NEW.sync_token IS NULL AND NEW.page_token IS NULL))
EXECUTE FUNCTION syncer.revise_calendar();

CREATE TRIGGER tenant_revised BEFORE UPDATE ON syncer.tenant FOR EACH ROW
WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION syncer.revise();

-- A tenant's way to its provider is part of what a worker knows of the tenant.
CREATE FUNCTION syncer.revise_tenants() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    UPDATE syncer.tenant SET revision = pg_current_xact_id() WHERE account_id = NEW.account_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER provider_account_revised AFTER UPDATE ON syncer.provider_account FOR EACH ROW
WHEN ((OLD.provider, OLD.settings, OLD.credential) IS DISTINCT FROM (NEW.provider, NEW.settings, NEW.credential))
EXECUTE FUNCTION syncer.revise_tenants();

CREATE FUNCTION syncer.revise_projects() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    IF TG_TABLE_NAME = 'tenant' THEN
        UPDATE syncer.project SET revision = pg_current_xact_id()
        WHERE project_id IN (SELECT project_id FROM gone);
    ELSE
        UPDATE syncer.project SET revision = pg_current_xact_id()
        WHERE project_id IN (SELECT t.project_id FROM gone JOIN syncer.tenant t USING (tenant_id));
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER calendars_gone AFTER DELETE ON syncer.calendar REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION syncer.revise_projects();
CREATE TRIGGER tenants_gone AFTER DELETE ON syncer.tenant REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION syncer.revise_projects();

-- A tenant that is served anew, no longer, elsewhere or by other rights takes its calendars along, on both sides.
CREATE FUNCTION syncer.revise_both_projects() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    UPDATE syncer.project SET revision = pg_current_xact_id() WHERE project_id IN (OLD.project_id, NEW.project_id);
    RETURN NULL;
END
$$;
CREATE TRIGGER tenant_moved AFTER UPDATE ON syncer.tenant FOR EACH ROW
WHEN ((OLD.project_id, OLD.state, OLD.credential, OLD.subject)
    IS DISTINCT FROM (NEW.project_id, NEW.state, NEW.credential, NEW.subject))
EXECUTE FUNCTION syncer.revise_both_projects();

-- migrate:down
