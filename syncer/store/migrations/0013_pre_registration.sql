-- migrate:up
-- Registration: the keys that tenants' backends come with, and the conferences that they say they made.

-- `hash` is the SHA-256 of 32 random bytes, as they are written in the key; the key itself is kept nowhere.
CREATE TABLE syncer.api_key (
    key_id text PRIMARY KEY
        CONSTRAINT a_key_id_is_twelve_hexadecimal_digits CHECK (key_id ~ '^[0-9a-f]{12}$'),
    tenant_id bigint NOT NULL REFERENCES syncer.tenant ON DELETE CASCADE,
    name text NOT NULL
        CONSTRAINT a_key_name_is_short_and_plain CHECK (name ~ '^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$'),
    hash bytea NOT NULL CHECK (length(hash) = 32),
    created_at timestamptz NOT NULL DEFAULT syncer.clock(),
    revoked_at timestamptz
);
CREATE INDEX api_key_of_tenant ON syncer.api_key (tenant_id);

-- A provisional link: the vendor says that this event is to refer to this meeting, and nobody has read the event yet. It
-- goes when a tombstone of the event is read, or at expires_at. event_id: NULL where the vendor did not know it. look_at:
-- when the event is asked for next, for no full read lists what was deleted before it.
CREATE TABLE syncer.registration (
    tenant_id bigint NOT NULL,
    conference_id bigint NOT NULL,
    calendar_id bigint NOT NULL,
    event_id text,
    registered_at timestamptz NOT NULL DEFAULT syncer.clock(),
    expires_at timestamptz NOT NULL,
    look_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, conference_id),
    FOREIGN KEY (tenant_id, conference_id) REFERENCES syncer.conference ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES syncer.calendar ON DELETE CASCADE
);
CREATE INDEX registration_of_event ON syncer.registration (tenant_id, calendar_id, event_id);
CREATE INDEX registration_due ON syncer.registration (tenant_id, look_at);

-- migrate:down
