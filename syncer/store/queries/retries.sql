-- What a person has tried again.

-- name: retry
-- Has the provider asked again at once about one meeting of a tenant, or about all that it refused or failed. Each gets
-- a version of its own, so that what was refused is a new call. What the guard holds stays held: `release` is for that.
-- $1 tenant slug text, $2 meeting_id text or NULL. Rows: one; retried and guarded bigint, has_tenant and is_known boolean
-- (whether such a meeting was found). Locks in the order of the workers' commits. Index: conference_pkey.
WITH mine AS MATERIALIZED (
    SELECT tenant_id FROM syncer.tenant WHERE slug = $1
), found AS MATERIALIZED (
    SELECT c.tenant_id, c.conference_id, c.state, c.was_released
    FROM syncer.conference c JOIN mine USING (tenant_id)
    WHERE c.meeting_id = $2
       OR $2 IS NULL AND c.state IN ('live', 'leaving', 'held', 'gone') AND (c.failures > 0 OR c.reason IS NOT NULL)
    ORDER BY c.tenant_id, c.conference_id FOR UPDATE OF c
), retried AS (
    UPDATE syncer.conference c
    SET state = CASE WHEN c.state = 'held' THEN 'leaving' ELSE c.state END, reason = NULL, failures = 0,
        next_try_at = NULL, wanted_version = c.wanted_version + 1
    FROM found f
    WHERE c.tenant_id = f.tenant_id AND c.conference_id = f.conference_id
      AND (f.state IN ('live', 'leaving', 'gone') OR f.state = 'held' AND f.was_released)
    RETURNING c.tenant_id, c.conference_id, c.driver_calendar_id, c.driver_event_id
), told AS (
    INSERT INTO syncer.history (tenant_id, kind, conference_id, calendar_id, event_id)
    SELECT tenant_id, 'retried', conference_id, driver_calendar_id, driver_event_id FROM retried
)
SELECT (SELECT count(*) FROM retried) AS retried,
       (SELECT count(*) FROM found WHERE state = 'held' AND NOT was_released) AS guarded,
       EXISTS (SELECT FROM mine) AS has_tenant, EXISTS (SELECT FROM found) AS is_known
