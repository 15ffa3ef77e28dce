-- Sealed credentials, of tenants (`grant`) and of provider accounts (`account_grant`).

-- name: read_tenant
-- One sealed value of a tenant. $1 tenant_id bigint, $2 name text. Rows: at most one; sealed bytea, mark bigint, origin
-- and url text. Index: grant_pkey.
SELECT sealed, mark, '' AS origin, '' AS url FROM syncer.grant WHERE tenant_id = $1 AND name = $2;

-- name: read_account
-- One sealed value of a provider account. $1 account_id bigint, $2 name text. Rows: as read_tenant; origin is what it was
-- sealed for, url where the account leads now. Index: account_grant_pkey.
SELECT g.sealed, g.mark, g.origin, coalesce(a.settings ->> 'url', '') AS url
FROM syncer.account_grant g JOIN syncer.provider_account a USING (account_id) WHERE account_id = $1 AND name = $2;

-- name: since
-- Where the first question after values that were replaced begins. No parameters. Rows: one, bigint.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint;

-- name: replaced
-- The values of tenants that were given since, and where the next question begins: revisions are transactions, and
-- whichever could not be seen yet comes at or after `since`.
-- $1 since bigint. Rows: at least one; since bigint, tenant_id, name and mark, NULL when there is none.
-- Index: grant_of_revision.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS since, g.tenant_id, g.name, g.mark
FROM (SELECT) AS one LEFT JOIN syncer.grant g
    ON g.revision >= $1::bigint::text::xid8 AND g.revision < pg_snapshot_xmax(pg_current_snapshot());

-- name: owners
-- Whom the sealed values of a tenant belong to. $1 slug text. Rows: at most one; tenant_id, account_id, state, provider,
-- settings jsonb, credential and provider_credential (references). Index: tenant_slug_key.
SELECT t.tenant_id, t.account_id, t.state, a.provider, a.settings, t.credential, a.credential AS provider_credential
FROM syncer.tenant t JOIN syncer.provider_account a USING (account_id) WHERE t.slug = $1;

-- name: put_tenant
-- A value of a tenant, in the place of the one of that name. $1 tenant_id bigint, $2 name text, $3 sealed bytea,
-- $4 origin text, which is empty. Rows: one; whether there was none of that name. Nothing for a tenant that is retired
-- or gone. Index: grant_pkey.
INSERT INTO syncer.grant AS g (tenant_id, name, sealed)
SELECT tenant_id, $2, $3 FROM syncer.tenant WHERE tenant_id = $1 AND state <> 'retired' AND $4::text = '' FOR KEY SHARE
ON CONFLICT (tenant_id, name) DO UPDATE
    SET sealed = excluded.sealed, mark = DEFAULT, revision = pg_current_xact_id(), sealed_at = syncer.clock(),
        rotated_at = NULL
RETURNING (xmax = 0) AS is_new;

-- name: put_account
-- As put_tenant, of a provider account. $1 account_id bigint, $2 name text, $3 sealed bytea, $4 origin text.
-- Index: account_grant_pkey.
INSERT INTO syncer.account_grant AS g (account_id, name, sealed, origin) VALUES ($1, $2, $3, $4)
ON CONFLICT (account_id, name) DO UPDATE
    SET sealed = excluded.sealed, origin = excluded.origin, mark = DEFAULT, sealed_at = syncer.clock(), rotated_at = NULL
RETURNING (xmax = 0) AS is_new;

-- name: counts
-- How many values each key seals. No parameters. Rows: key_id, count. Index: grant_of_key, account_grant_of_key.
SELECT key_id, sum(count)::bigint AS count FROM (
    SELECT key_id, count(*) AS count FROM syncer.grant GROUP BY key_id
    UNION ALL
    SELECT key_id, count(*) AS count FROM syncer.account_grant GROUP BY key_id
) AS each GROUP BY key_id ORDER BY key_id;

-- name: older_tenant
-- Some values of tenants that another key seals. $1 key_id text, $2 tenant_id bigint and $3 name text to go on behind,
-- $4 limit int. Rows: owner_id, name, origin, sealed bytea, in the order of the key. Index: grant_pkey.
SELECT tenant_id AS owner_id, name, '' AS origin, sealed FROM syncer.grant
WHERE (tenant_id, name) > ($2, $3) AND key_id <> $1 ORDER BY tenant_id, name LIMIT $4;

-- name: older_account
-- As older_tenant, of provider accounts. Index: account_grant_pkey.
SELECT account_id AS owner_id, name, origin, sealed FROM syncer.account_grant
WHERE (account_id, name) > ($2, $3) AND key_id <> $1 ORDER BY account_id, name LIMIT $4;

-- name: reseal_tenant
-- Values of tenants, sealed anew under another key; not where another value was given meanwhile.
-- $1 tenant ids bigint[], $2 names text[], $3 sealed before bytea[], $4 sealed now bytea[]. Rows: none.
-- Index: grant_pkey; locks in its order.
WITH turn AS MATERIALIZED (
    SELECT g.tenant_id, g.name, m.now
    FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::bytea[]) AS m(tenant_id, name, before, now)
    JOIN syncer.grant g USING (tenant_id, name)
    WHERE g.sealed = m.before ORDER BY g.tenant_id, g.name FOR NO KEY UPDATE OF g
)
UPDATE syncer.grant g SET sealed = turn.now, rotated_at = syncer.clock()
FROM turn WHERE g.tenant_id = turn.tenant_id AND g.name = turn.name;

-- name: reseal_account
-- As reseal_tenant, of provider accounts. Index: account_grant_pkey; locks in its order.
WITH turn AS MATERIALIZED (
    SELECT g.account_id, g.name, m.now
    FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::bytea[]) AS m(account_id, name, before, now)
    JOIN syncer.account_grant g USING (account_id, name)
    WHERE g.sealed = m.before ORDER BY g.account_id, g.name FOR NO KEY UPDATE OF g
)
UPDATE syncer.account_grant g SET sealed = turn.now, rotated_at = syncer.clock()
FROM turn WHERE g.account_id = turn.account_id AND g.name = turn.name;

-- name: forget_sealed
-- The sealed values of a retired tenant go, and those of its provider account if all tenants of that are retired.
-- $1 slug text. Rows: none. Index: tenant_slug_key, grant_pkey, account_grant_pkey.
WITH retired AS (
    SELECT tenant_id, account_id FROM syncer.tenant WHERE slug = $1 AND state = 'retired'
), of_tenant AS (
    DELETE FROM syncer.grant g USING retired WHERE g.tenant_id = retired.tenant_id
)
DELETE FROM syncer.account_grant g USING retired
WHERE g.account_id = retired.account_id AND NOT EXISTS (
    SELECT FROM syncer.tenant t WHERE t.account_id = retired.account_id AND t.state <> 'retired');
