-- Calendars that Google says changed: marks that ask for a look, written by receivers, taken away by workers.
-- What is the receiver's needs SELECT on channel and on (tenant_id, project_id) of tenant and (tenant_id, calendar_id)
-- of watch, UPDATE of channel's resource_id, SELECT, INSERT and UPDATE on notified, and nothing else.

-- name: known
-- The channels that messages name. The receiver's.
-- $1 channel ids uuid[]. Rows: at most one a channel; channel_id, secret_hash, tenant_id, calendar_id, project_id,
-- is_live (not over), is_unnamed (its resource is not known). Index: channel_pkey, tenant_pkey.
SELECT c.channel_id, c.secret_hash, c.tenant_id, c.calendar_id, t.project_id, c.expires_at > syncer.clock() AS is_live,
       c.resource_id IS NULL AS is_unnamed
FROM syncer.channel c JOIN syncer.tenant t USING (tenant_id) WHERE c.channel_id = ANY ($1::uuid[]);

-- name: mark
-- Marks calendars, and wakes the workers of their projects: Postgres tells each project once, however many rows name
-- it. Not fenced: a mark can only ask for a look. The receiver's.
-- $1 tenant ids bigint[] and, place by place, $2 calendar ids bigint[], $3 project ids bigint[].
-- Rows: tenant_id, calendar_id of those that there are, marked now. Index: watch_pkey, notified_pkey.
WITH told AS MATERIALIZED (
    SELECT DISTINCT a.tenant_id, a.calendar_id, a.project_id
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS a(tenant_id, calendar_id, project_id)
    JOIN syncer.watch USING (tenant_id, calendar_id)
), marked AS (
    INSERT INTO syncer.notified (tenant_id, calendar_id) SELECT tenant_id, calendar_id FROM told
    -- In one order, so that two receivers never wait for each other.
    ORDER BY tenant_id, calendar_id
    ON CONFLICT (tenant_id, calendar_id) DO UPDATE SET mark = DEFAULT, notified_at = syncer.clock()
)
SELECT tenant_id, calendar_id, pg_notify('syncer_notified', project_id::text) FROM told;

-- name: name_resources
-- Keeps what Google calls the resource of channels whose watch has not been answered: they can be stopped by it. The
-- receiver's.
-- $1 channel ids uuid[] and, place by place, $2 resource ids text[]. Rows: none. Index: channel_pkey.
UPDATE syncer.channel c SET resource_id = a.resource_id
FROM unnest($1::uuid[], $2::text[]) AS a(channel_id, resource_id)
WHERE c.channel_id = a.channel_id AND c.resource_id IS NULL;

-- name: pages
-- Marked calendars of some projects, by key, so many at a time. The worker's.
-- $1 project ids bigint[], $2 tenant_id and $3 calendar_id to go on behind, $4 limit int.
-- Rows: project_id, tenant_id, calendar_id, mark, notified_at. Index: notified_pkey, tenant_pkey.
SELECT t.project_id, n.tenant_id, n.calendar_id, n.mark, n.notified_at
FROM syncer.notified n JOIN syncer.tenant t USING (tenant_id)
WHERE t.project_id = ANY ($1::bigint[]) AND (n.tenant_id, n.calendar_id) > ($2, $3)
ORDER BY n.tenant_id, n.calendar_id LIMIT $4;

-- name: forget
-- Takes marks away whose calendars were looked at since they were read. A calendar that was told of again since keeps
-- its newer mark. The worker's.
-- $1 tenant ids bigint[] and, place by place, $2 calendar ids bigint[], $3 marks bigint[]. Rows: none.
-- Index: notified_pkey.
WITH seen AS MATERIALIZED (
    SELECT n.ctid
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS s(tenant_id, calendar_id, mark)
    JOIN syncer.notified n USING (tenant_id, calendar_id, mark)
    ORDER BY n.tenant_id, n.calendar_id FOR UPDATE OF n
)
DELETE FROM syncer.notified WHERE ctid = ANY (ARRAY(SELECT ctid FROM seen));

-- name: prune
-- Takes marks away that a receiver made of a calendar while it was being removed. The worker's.
-- No parameters. Rows: none. Index: notified_pkey, calendar_pkey.
DELETE FROM syncer.notified n
WHERE NOT EXISTS (SELECT FROM syncer.calendar c WHERE (c.tenant_id, c.calendar_id) = (n.tenant_id, n.calendar_id));
