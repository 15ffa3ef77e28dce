-- migrate:up
-- Credentials that are sealed: of tenants, and of provider accounts. The keys are in no database.

ALTER TABLE syncer.tenant DROP CONSTRAINT a_credential_is_a_reference,
    ADD CONSTRAINT a_credential_is_a_reference
    CHECK (credential ~ '^(file:[^/]+|env:[A-Z][A-Z0-9_]*|sealed:[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?)$');
ALTER TABLE syncer.calendar DROP CONSTRAINT a_credential_is_a_reference,
    ADD CONSTRAINT a_credential_is_a_reference
    CHECK (credential ~ '^(file:[^/]+|env:[A-Z][A-Z0-9_]*|sealed:[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?)$');
ALTER TABLE syncer.provider_account DROP CONSTRAINT a_credential_is_a_reference,
    ADD CONSTRAINT a_credential_is_a_reference
    CHECK (credential ~ '^(file:[^/]+|env:[A-Z][A-Z0-9_]*|sealed:[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?)$');

-- `sealed` is a version byte, four bytes that name the key, twelve of nonce, and what AES-GCM made of the value; it
-- opens for this table, column, owner, name and origin alone. `mark` is another one, and `revision` moves, with each value that
-- is given, and neither when a value is sealed anew under another key.
CREATE TABLE syncer.grant (
    tenant_id bigint NOT NULL REFERENCES syncer.tenant ON DELETE CASCADE,
    name text NOT NULL
        CONSTRAINT a_name_of_a_sealed_value_is_short_and_plain CHECK (name ~ '^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$'),
    sealed bytea NOT NULL
        CONSTRAINT a_sealed_value_is_sealed CHECK (length(sealed) BETWEEN 33 AND 70000 AND get_byte(sealed, 0) = 1),
    key_id text NOT NULL GENERATED ALWAYS AS (encode(substr(sealed, 2, 4), 'hex')) STORED,
    mark bigint GENERATED ALWAYS AS IDENTITY,
    revision xid8 NOT NULL DEFAULT pg_current_xact_id(),
    created_at timestamptz NOT NULL DEFAULT syncer.clock(),
    sealed_at timestamptz NOT NULL DEFAULT syncer.clock(),
    rotated_at timestamptz,
    PRIMARY KEY (tenant_id, name)
);
CREATE INDEX grant_of_key ON syncer.grant (key_id);
CREATE INDEX grant_of_revision ON syncer.grant (revision);

-- `origin`: scheme, host and port of the URL that the account had then; it is used for no other.

CREATE TABLE syncer.account_grant (
    account_id bigint NOT NULL REFERENCES syncer.provider_account ON DELETE CASCADE,
    name text NOT NULL
        CONSTRAINT a_name_of_a_sealed_value_is_short_and_plain CHECK (name ~ '^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$'),
    origin text NOT NULL,
    sealed bytea NOT NULL
        CONSTRAINT a_sealed_value_is_sealed CHECK (length(sealed) BETWEEN 33 AND 70000 AND get_byte(sealed, 0) = 1),
    key_id text NOT NULL GENERATED ALWAYS AS (encode(substr(sealed, 2, 4), 'hex')) STORED,
    mark bigint GENERATED ALWAYS AS IDENTITY,
    created_at timestamptz NOT NULL DEFAULT syncer.clock(),
    sealed_at timestamptz NOT NULL DEFAULT syncer.clock(),
    rotated_at timestamptz,
    PRIMARY KEY (account_id, name)
);
CREATE INDEX account_grant_of_key ON syncer.account_grant (key_id);

-- A user's own grant goes with the last calendar that was read by it.
CREATE FUNCTION syncer.forget_grants() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    DELETE FROM syncer.grant g USING gone
    WHERE gone.credential LIKE 'sealed:%' AND g.tenant_id = gone.tenant_id
        AND g.name = substr(gone.credential, length('sealed:') + 1)
        AND NOT EXISTS (SELECT FROM syncer.tenant t
            WHERE t.tenant_id = gone.tenant_id AND t.credential = gone.credential)
        AND NOT EXISTS (SELECT FROM syncer.calendar c
            WHERE c.tenant_id = gone.tenant_id AND c.credential = gone.credential);
    RETURN NULL;
END
$$;
CREATE TRIGGER calendars_gone_with_grants AFTER DELETE ON syncer.calendar REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION syncer.forget_grants();

-- migrate:down
