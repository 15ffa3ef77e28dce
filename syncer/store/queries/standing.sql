-- How everything stands, in figures. Asked rarely, and less often where it takes long: it reads whole tables.

-- name: standing
-- Counts by what is counted and a word out of a short list. $1 failures in a row that have a push held, int. Rows: what
-- text, word text, count bigint; no row where there is none. Index: none.
SELECT 'calendars' AS what,
    CASE WHEN tenant.state <> 'active' THEN 'of_' || tenant.state || '_tenant'
        WHEN calendar.state = 'active' AND calendar.failures > 0 THEN 'failing'
        ELSE calendar.state END AS word, count(*) AS count
FROM syncer.calendar JOIN syncer.tenant USING (tenant_id) GROUP BY 2
UNION ALL
SELECT 'parked_calendars',
    -- By what our own sentences say (model/errors.py, clients/google/errors.py).
    CASE WHEN reason ~ 'answered 40[01] (invalid|deleted|disabled)_' THEN 'grant'
        WHEN reason ~ 'insufficientPermissions|ACCESS_TOKEN_SCOPE|accessNotConfigured|SERVICE_DISABLED|domainPolicy'
            THEN 'set_up'
        WHEN reason ~ 'dailyLimitExceeded' THEN 'day_spent'
        WHEN reason ~ 'answered 40[13]|_client|access_denied|admin_policy|org_internal|invalid_scope' THEN 'access'
        WHEN reason ~ 'answered 404' THEN 'missing'
        WHEN reason ~ '^(The )?credential ' THEN 'credential'
        ELSE 'other' END, count(*)
FROM syncer.calendar WHERE state = 'parked' GROUP BY 2
UNION ALL
SELECT 'channels', CASE WHEN state = 'open' AND expires_at <= syncer.clock() THEN 'expired' ELSE state END, count(*)
FROM syncer.channel GROUP BY 2
UNION ALL
SELECT 'unwatchable_calendars', '', count(*) FROM syncer.watch WHERE is_unwatchable
UNION ALL
SELECT 'conferences', state, count(*) FROM syncer.conference GROUP BY 2
UNION ALL
SELECT 'waiting_conferences', CASE WHEN is_in_doubt THEN 'in_doubt' WHEN failures > 0 THEN 'failing' ELSE 'due' END, count(*)
FROM syncer.conference
WHERE wanted_version > applied_version AND state IN ('live', 'leaving', 'watched') AND failures < $1 GROUP BY 2
UNION ALL
SELECT 'held_conferences', CASE WHEN state = 'held' AND NOT was_released THEN 'guard'
        WHEN state = 'held' THEN 'deletion_failed' ELSE 'provider_failed' END, count(*)
FROM syncer.conference WHERE state = 'held' OR state = 'live' AND failures >= $1 GROUP BY 2
