-- migrate:up
-- The first shape: projects and their leases, tenants, calendars, links, conferences, history.

-- Time. One row here marks a cluster for tests and demos, the only kind whose clock can be set.
CREATE TABLE syncer.test_clock (
    is_test boolean PRIMARY KEY DEFAULT true CHECK (is_test),
    shift interval NOT NULL DEFAULT interval '0'
);

CREATE FUNCTION syncer.clock() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE AS
$$ SELECT clock_timestamp() + coalesce((SELECT shift FROM syncer.test_clock), interval '0') $$;

CREATE FUNCTION syncer.are_addresses(addresses text[]) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT NOT EXISTS (
    SELECT FROM unnest(addresses) AS address
    WHERE address !~ '^[^\s@[:cntrl:]]+@[^\s@[:cntrl:]]+$' OR length(address) > 320) $$;

CREATE TABLE syncer.project (
    project_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug text NOT NULL UNIQUE
        CONSTRAINT a_slug_is_lower_case_letters_digits_and_dashes CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    per_minute integer NOT NULL DEFAULT 10000 CHECK (per_minute > 0),
    per_user_minute integer NOT NULL DEFAULT 600 CHECK (per_user_minute > 0),
    per_day integer NOT NULL DEFAULT 1000000 CHECK (per_day > 0),
    created_at timestamptz NOT NULL DEFAULT syncer.clock()
);

-- Away from the project's settings, for commits take FOR KEY SHARE on it and renewals write it every few seconds.
CREATE TABLE syncer.lease (
    project_id bigint PRIMARY KEY REFERENCES syncer.project ON DELETE CASCADE,
    owner uuid,
    epoch bigint NOT NULL DEFAULT 0,
    until timestamptz NOT NULL DEFAULT '-infinity',
    owner_clock_at timestamptz
) WITH (fillfactor = 50);

CREATE FUNCTION syncer.lease_for_project() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO syncer.lease (project_id) VALUES (NEW.project_id); RETURN NULL; END $$;

CREATE TRIGGER lease_for_project AFTER INSERT ON syncer.project
    FOR EACH ROW EXECUTE FUNCTION syncer.lease_for_project();

-- Where meetings live. Tenants of one vendor share an account, and with it one space of meeting ids.
CREATE TABLE syncer.provider_account (
    account_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL,
    settings jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(settings) = 'object'),
    credential text NOT NULL
        CONSTRAINT a_credential_is_a_reference CHECK (credential ~ '^(file:[^/]+|env:[A-Z][A-Z0-9_]*)$'),
    UNIQUE (provider, settings, credential)
);

CREATE TABLE syncer.tenant (
    tenant_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug text NOT NULL UNIQUE
        CONSTRAINT a_slug_is_lower_case_letters_digits_and_dashes CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    project_id bigint NOT NULL REFERENCES syncer.project,
    account_id bigint NOT NULL REFERENCES syncer.provider_account,
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused')),
    credential text NOT NULL
        CONSTRAINT a_credential_is_a_reference CHECK (credential ~ '^(file:[^/]+|env:[A-Z][A-Z0-9_]*)$'),
    subject text CONSTRAINT a_subject_is_an_address CHECK (syncer.are_addresses(ARRAY[subject])),
    matchers jsonb NOT NULL DEFAULT '[{"solution_type": "addOn"}]' CHECK (jsonb_typeof(matchers) = 'array'),
    grace interval NOT NULL DEFAULT interval '10 minutes'
        CONSTRAINT grace_is_between_0_and_30_days CHECK (grace BETWEEN interval '0' AND interval '30 days'),
    read_window interval NOT NULL DEFAULT interval '1 day'
        CONSTRAINT read_window_is_between_0_and_100_years CHECK (read_window BETWEEN interval '0' AND interval '100 years'),
    ladder text[] NOT NULL DEFAULT '{conferenceData,location,description}'
        CHECK (ladder <@ '{conferenceData,location,description}'),
    guard_calendar_count integer NOT NULL DEFAULT 20 CHECK (guard_calendar_count >= 0),
    guard_calendar_percent integer NOT NULL DEFAULT 30 CHECK (guard_calendar_percent BETWEEN 0 AND 100),
    guard_tenant_count integer NOT NULL DEFAULT 50 CHECK (guard_tenant_count >= 0),
    guard_tenant_percent integer NOT NULL DEFAULT 5 CHECK (guard_tenant_percent BETWEEN 0 AND 100),
    created_at timestamptz NOT NULL DEFAULT syncer.clock()
);
CREATE INDEX tenant_of_project ON syncer.tenant (project_id);

-- A calendar's own subject or credential wins over its tenant's. One with a credential of its own has its own subject
-- or none. State 'parked' waits until next_look_at.
CREATE TABLE syncer.calendar (
    tenant_id bigint NOT NULL REFERENCES syncer.tenant ON DELETE CASCADE,
    calendar_id bigint GENERATED ALWAYS AS IDENTITY,
    google_id text NOT NULL
        CONSTRAINT a_google_id_is_a_calendar_id_and_not_primary
        CHECK (google_id ~ '^[^\s/?[:cntrl:]]+$' AND length(google_id) <= 1024 AND google_id <> 'primary'),
    subject text CONSTRAINT a_subject_is_an_address CHECK (syncer.are_addresses(ARRAY[subject])),
    credential text CONSTRAINT a_credential_is_a_reference CHECK (credential ~ '^(file:[^/]+|env:[A-Z][A-Z0-9_]*)$'),
    addresses text[] NOT NULL DEFAULT '{}' CONSTRAINT addresses_are_addresses CHECK (syncer.are_addresses(addresses)),
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'parked')),
    reason text,
    next_look_at timestamptz,
    failures integer NOT NULL DEFAULT 0,
    sync_token text,
    page_token text,
    generation bigint NOT NULL DEFAULT 0,
    is_full_read boolean NOT NULL DEFAULT true,
    read_from timestamptz,
    pin text NOT NULL DEFAULT '',
    time_zone text,
    changed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT syncer.clock(),
    PRIMARY KEY (tenant_id, calendar_id),
    UNIQUE (tenant_id, google_id)
) WITH (fillfactor = 85);

-- Our row for one meeting. wanted_version > applied_version is the only queue of pushes.
CREATE TABLE syncer.conference (
    tenant_id bigint NOT NULL REFERENCES syncer.tenant ON DELETE CASCADE,
    conference_id bigint GENERATED ALWAYS AS IDENTITY,
    account_id bigint NOT NULL REFERENCES syncer.provider_account,
    meeting_id text NOT NULL,
    state text NOT NULL DEFAULT 'live'
        CHECK (state IN ('live', 'watched', 'leaving', 'held', 'deleted', 'gone', 'detached')),
    reason text,
    wanted_version bigint NOT NULL DEFAULT 1,
    applied_version bigint NOT NULL DEFAULT 0,
    applied jsonb,
    meeting jsonb,
    is_in_doubt boolean NOT NULL DEFAULT false,
    driver_calendar_id bigint,
    driver_event_id text,
    unlinked_at timestamptz,
    strayed_at timestamptz,
    was_detached boolean NOT NULL DEFAULT false,
    delete_after timestamptz,
    was_released boolean NOT NULL DEFAULT false,
    failures integer NOT NULL DEFAULT 0,
    next_try_at timestamptz,
    read_back_at timestamptz,
    deleted_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT syncer.clock(),
    PRIMARY KEY (tenant_id, conference_id),
    UNIQUE (tenant_id, account_id, meeting_id)
) WITH (fillfactor = 85);
CREATE INDEX conference_to_push ON syncer.conference (tenant_id, conference_id)
    WHERE wanted_version > applied_version OR is_in_doubt OR state IN ('leaving');

CREATE INDEX conference_of_meeting ON syncer.conference (account_id, meeting_id);

-- Who may change or delete a meeting, over all tenants: the first whose organizer's copy referred to it.
CREATE TABLE syncer.meeting_owner (
    account_id bigint NOT NULL REFERENCES syncer.provider_account,
    meeting_id text NOT NULL,
    tenant_id bigint NOT NULL REFERENCES syncer.tenant ON DELETE CASCADE,
    PRIMARY KEY (account_id, meeting_id)
);

-- A live organizer's event that refers to a conference. `event` is the projection that a meeting needs.
CREATE TABLE syncer.link (
    tenant_id bigint NOT NULL,
    calendar_id bigint NOT NULL,
    event_id text NOT NULL,
    conference_id bigint NOT NULL,
    generation bigint NOT NULL,
    event jsonb NOT NULL,
    rung text,
    write_backs integer NOT NULL DEFAULT 0,
    write_backs_on date,
    PRIMARY KEY (tenant_id, calendar_id, event_id),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES syncer.calendar ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, conference_id) REFERENCES syncer.conference ON DELETE CASCADE
) WITH (fillfactor = 85);
CREATE INDEX link_of_conference ON syncer.link (tenant_id, conference_id);

-- Entries that were seen and make no link, with the reason: set aside (cannot be used; tried again when it
-- changes), a guest's copy of a meeting's event, or part of a series.
CREATE TABLE syncer.note (
    tenant_id bigint NOT NULL,
    calendar_id bigint NOT NULL,
    event_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('set_aside', 'guest', 'series')),
    etag text NOT NULL,
    reason text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT syncer.clock(),
    PRIMARY KEY (tenant_id, calendar_id, event_id),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES syncer.calendar ON DELETE CASCADE
);

-- What was done outside and every decision that changed a conference. Appended, never changed.
CREATE TABLE syncer.history (
    tenant_id bigint NOT NULL REFERENCES syncer.tenant ON DELETE CASCADE,
    history_id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT syncer.clock(),
    kind text NOT NULL,
    conference_id bigint,
    calendar_id bigint,
    event_id text,
    detail jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, at, history_id)
) PARTITION BY RANGE (at);
CREATE TABLE syncer.history_default PARTITION OF syncer.history DEFAULT;
CREATE INDEX history_of_conference ON syncer.history (tenant_id, conference_id, at);

-- migrate:down
