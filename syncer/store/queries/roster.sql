-- name: stirred
-- What has changed in a project since it was listed last. Revisions are transactions: whichever could not be seen yet
-- then comes at or after `since`, so the next listing begins there. One that is still to come stands in rows that were
-- restored from another cluster; it says nothing.
-- $1 project_id bigint, $2 since bigint (0: everything). Rows: one; since bigint, revision bigint (of the project),
-- has_tenants boolean. Index: project_pkey, tenant_of_project.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS since, p.revision::text::bigint AS revision,
       EXISTS (SELECT FROM syncer.tenant t WHERE t.project_id = $1 AND t.revision >= $2::bigint::text::xid8
                 AND t.revision < pg_snapshot_xmax(pg_current_snapshot())) AS has_tenants
FROM syncer.project p WHERE p.project_id = $1;

-- name: all
-- Some of the calendars of a project that are served, with their cursors. A parked one comes with the time it waits for.
-- The tenant's subject goes with the tenant's credential: a user's own grant speaks for nobody else.
-- $1 project_id bigint, $2 tenant_id and $3 calendar_id to go on behind, $4 limit int, $5 of these tenants only bigint[],
-- or NULL, $6 whether a worker begins with them, boolean: what it is given by variables, and by files while nobody looked,
-- may be mended, and it costs no request to see that it is not. Rows: at most so many, by key. Index: calendar_pkey, for a statement that knew of revisions as well would be
-- planned by them, and sort all there is for each page.
SELECT c.tenant_id, c.calendar_id, c.google_id, coalesce(c.credential, t.credential) AS credential,
       coalesce(c.subject, CASE WHEN c.credential IS NULL THEN t.subject END) AS subject, c.addresses, c.sync_token,
       c.page_token, c.generation, c.is_full_read, c.read_from, c.pin, c.failures,
       CASE WHEN $6 AND c.state = 'parked' AND starts_with(c.reason, 'credential ') THEN NULL
           ELSE c.next_look_at END AS next_look_at
FROM syncer.calendar c JOIN syncer.tenant t USING (tenant_id)
WHERE t.project_id = $1 AND t.state = 'active' AND c.state <> 'paused'
  AND ($5::bigint[] IS NULL OR c.tenant_id = ANY ($5)) AND (c.tenant_id, c.calendar_id) > ($2, $3)
ORDER BY c.tenant_id, c.calendar_id LIMIT $4;

-- name: changed
-- As `all`, those that have changed.
-- $1 project_id bigint, $2 since bigint (a revision), $3 tenant_id and $4 calendar_id to go on behind, $5 limit int.
-- Rows: at most so many, by key. Index: calendar_of_revision.
SELECT c.tenant_id, c.calendar_id, c.google_id, coalesce(c.credential, t.credential) AS credential,
       coalesce(c.subject, CASE WHEN c.credential IS NULL THEN t.subject END) AS subject, c.addresses, c.sync_token,
       c.page_token, c.generation, c.is_full_read, c.read_from, c.pin, c.failures, c.next_look_at
FROM syncer.calendar c JOIN syncer.tenant t USING (tenant_id)
WHERE t.project_id = $1 AND t.state = 'active' AND c.state <> 'paused' AND c.revision >= $2::bigint::text::xid8
  AND c.revision < pg_snapshot_xmax(pg_current_snapshot()) AND (c.tenant_id, c.calendar_id) > ($3, $4)
ORDER BY c.tenant_id, c.calendar_id LIMIT $5;

-- name: paused
-- The calendars of a project that nobody is to look at any more.
-- $1 project_id bigint, $2 since bigint (a revision). Rows: tenant_id, calendar_id. Index: calendar_of_revision.
SELECT c.tenant_id, c.calendar_id FROM syncer.calendar c JOIN syncer.tenant t USING (tenant_id)
WHERE t.project_id = $1 AND c.state = 'paused' AND c.revision >= $2::bigint::text::xid8
  AND c.revision < pg_snapshot_xmax(pg_current_snapshot());

-- name: save_tokens
-- Sync tokens that moved though nothing had changed. Not where another read from the start was asked for meanwhile, is
-- under way or was made.
-- $1 project_id, $2 owner uuid, $3 epoch, $4 tenant ids bigint[], $5 calendar ids bigint[], $6 generations bigint[],
-- $7 tokens text[]. Rows: none. Index: calendar_pkey.
WITH fence AS MATERIALIZED (
    SELECT project_id FROM syncer.lease WHERE project_id = $1 AND owner = $2 AND epoch = $3 FOR KEY SHARE
), turn AS MATERIALIZED (
    SELECT m.* FROM unnest($4::bigint[], $5::bigint[], $6::bigint[], $7::text[])
        AS m(tenant_id, calendar_id, generation, sync_token)
    CROSS JOIN fence
    JOIN syncer.calendar c USING (tenant_id, calendar_id)
    WHERE c.generation = m.generation ORDER BY c.tenant_id, c.calendar_id FOR NO KEY UPDATE OF c
)
UPDATE syncer.calendar c SET sync_token = m.sync_token
FROM turn m WHERE c.tenant_id = m.tenant_id AND c.calendar_id = m.calendar_id AND c.generation = m.generation
  AND c.sync_token IS NOT NULL AND c.page_token IS NULL AND NOT c.is_full_read;
