-- migrate:up
-- Google's notifications: the channels they come by, and the calendars that they say changed.

-- A registration at Google, by which it tells of one calendar. Its row comes before the request, and outlives the
-- calendar until the channel is stopped or over. credential, subject: whose it is, for nobody else may stop it.
-- expires_at: until it was granted, the latest time there may be one. resource_id: Google's name of what is watched; a
-- channel cannot be stopped without it.
CREATE TABLE syncer.channel (
    channel_id uuid PRIMARY KEY,
    tenant_id bigint NOT NULL REFERENCES syncer.tenant ON DELETE CASCADE,
    calendar_id bigint NOT NULL,
    secret_hash bytea NOT NULL CHECK (length(secret_hash) = 32),
    address text NOT NULL,
    credential text NOT NULL,
    subject text,
    resource_id text,
    state text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'open', 'stopping')),
    asked_at timestamptz NOT NULL DEFAULT syncer.clock(),
    opened_at timestamptz,
    expires_at timestamptz NOT NULL,
    failures integer NOT NULL DEFAULT 0,
    next_try_at timestamptz
);
CREATE INDEX channel_of_calendar ON syncer.channel (tenant_id, calendar_id, channel_id);
CREATE INDEX channel_to_stop ON syncer.channel (tenant_id) WHERE state = 'stopping';

-- When a calendar's channel is to be made, renewed or tried for again: one row for each calendar, kept by triggers.
-- is_unwatchable: Google tells nothing of such calendars.
CREATE TABLE syncer.watch (
    tenant_id bigint NOT NULL,
    calendar_id bigint NOT NULL,
    due_at timestamptz NOT NULL DEFAULT '-infinity',
    failures integer NOT NULL DEFAULT 0,
    is_unwatchable boolean NOT NULL DEFAULT false,
    reason text,
    PRIMARY KEY (tenant_id, calendar_id),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES syncer.calendar ON DELETE CASCADE
) WITH (fillfactor = 85);
CREATE INDEX watch_due ON syncer.watch (tenant_id, due_at);

INSERT INTO syncer.watch (tenant_id, calendar_id) SELECT tenant_id, calendar_id FROM syncer.calendar;

-- Calendars of which it was said that something changed there. Narrow, and without a foreign key: receivers write it,
-- and must lock nothing that pulls write. `mark` is another one with each telling.
CREATE TABLE syncer.notified (
    tenant_id bigint NOT NULL,
    calendar_id bigint NOT NULL,
    mark bigint GENERATED ALWAYS AS IDENTITY,
    notified_at timestamptz NOT NULL DEFAULT syncer.clock(),
    PRIMARY KEY (tenant_id, calendar_id)
) WITH (fillfactor = 50);

CREATE FUNCTION syncer.watch_added() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    INSERT INTO syncer.watch (tenant_id, calendar_id) SELECT tenant_id, calendar_id FROM added;
    RETURN NULL;
END
$$;
CREATE TRIGGER calendars_added AFTER INSERT ON syncer.calendar REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION syncer.watch_added();

CREATE FUNCTION syncer.unwatch_gone() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    UPDATE syncer.channel c SET state = 'stopping' FROM gone g
    WHERE (c.tenant_id, c.calendar_id) = (g.tenant_id, g.calendar_id) AND c.state <> 'stopping';
    DELETE FROM syncer.notified n USING gone g WHERE (n.tenant_id, n.calendar_id) = (g.tenant_id, g.calendar_id);
    RETURN NULL;
END
$$;
CREATE TRIGGER calendars_gone_unwatch AFTER DELETE ON syncer.calendar REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION syncer.unwatch_gone();

-- One that is paused, or that somebody else reads or another calendar stands behind now: its channels are of no use.
CREATE FUNCTION syncer.rewatch() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    UPDATE syncer.channel SET state = 'stopping'
    WHERE (tenant_id, calendar_id) = (NEW.tenant_id, NEW.calendar_id) AND state <> 'stopping';
    UPDATE syncer.watch SET due_at = '-infinity', failures = 0, is_unwatchable = false, reason = NULL
    WHERE (tenant_id, calendar_id) = (NEW.tenant_id, NEW.calendar_id);
    RETURN NULL;
END
$$;
CREATE TRIGGER calendar_rewatched AFTER UPDATE OF google_id, subject, credential, state ON syncer.calendar FOR EACH ROW
WHEN ((OLD.google_id, OLD.subject, OLD.credential, OLD.state = 'paused')
    IS DISTINCT FROM (NEW.google_id, NEW.subject, NEW.credential, NEW.state = 'paused'))
EXECUTE FUNCTION syncer.rewatch();

CREATE FUNCTION syncer.rewatch_tenant() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    UPDATE syncer.channel SET state = 'stopping' WHERE tenant_id = NEW.tenant_id AND state <> 'stopping';
    UPDATE syncer.watch SET due_at = '-infinity', failures = 0, is_unwatchable = false, reason = NULL
    WHERE tenant_id = NEW.tenant_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER tenant_rewatched AFTER UPDATE OF state, subject, credential ON syncer.tenant FOR EACH ROW
WHEN ((OLD.state, OLD.subject, OLD.credential) IS DISTINCT FROM (NEW.state, NEW.subject, NEW.credential))
EXECUTE FUNCTION syncer.rewatch_tenant();

-- migrate:down
