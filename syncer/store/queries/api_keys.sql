-- Keys of tenants' backends. Only a digest of a key is kept.

-- name: add
-- A key of a tenant. $1 tenant slug text, $2 key_id text, $3 name text, $4 hash bytea. Rows: created_at; none when there is
-- no such tenant, or it is retired. Index: tenant_slug_key.
INSERT INTO syncer.api_key (tenant_id, key_id, name, hash)
SELECT tenant_id, $2, $3, $4 FROM syncer.tenant WHERE slug = $1 AND state <> 'retired' FOR KEY SHARE
RETURNING created_at;

-- name: all_of
-- The keys of a tenant, oldest first. $1 tenant slug text. Rows: key_id, name, created_at, revoked_at.
-- Index: api_key_of_tenant.
SELECT k.key_id, k.name, k.created_at, k.revoked_at
FROM syncer.api_key k JOIN syncer.tenant USING (tenant_id) WHERE slug = $1 ORDER BY k.created_at, k.key_id;

-- name: revoke
-- A key is good for nothing from now on. $1 tenant slug text, $2 key_id text. Rows: whether it was good until now; none
-- when the tenant has no such key. Index: api_key_pkey.
WITH before AS MATERIALIZED (
    SELECT k.key_id, k.revoked_at FROM syncer.api_key k JOIN syncer.tenant t USING (tenant_id)
    WHERE t.slug = $1 AND k.key_id = $2 FOR UPDATE OF k
)
UPDATE syncer.api_key k SET revoked_at = coalesce(k.revoked_at, syncer.clock())
FROM before WHERE k.key_id = before.key_id RETURNING before.revoked_at IS NULL AS was_good;

-- name: known
-- A key that is good. $1 key_id text. Rows: at most one; tenant_id, slug, hash. Index: api_key_pkey, tenant_pkey.
SELECT k.tenant_id, t.slug, k.hash FROM syncer.api_key k JOIN syncer.tenant t USING (tenant_id)
WHERE k.key_id = $1 AND k.revoked_at IS NULL AND t.state <> 'retired';
