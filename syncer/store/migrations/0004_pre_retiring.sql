-- migrate:up
-- A tenant can be retired, and calendars go without a meeting going with them.

ALTER TABLE syncer.tenant DROP CONSTRAINT tenant_state_check;
ALTER TABLE syncer.tenant ADD CONSTRAINT tenant_state_check CHECK (state IN ('active', 'paused', 'retired'));

-- Removes calendars of one tenant, with their links and notes, and detaches the meetings that no other calendar of the
-- tenant refers to: they stay at the provider. Who watched such a meeting drives it from now on. Gives how many
-- meetings were detached that were ours. Each step sees what was committed before it, which one statement would not:
-- a page that a worker is writing down meanwhile is either seen whole or refused, for its calendar is gone.
CREATE FUNCTION syncer.retire_calendars(of_tenant bigint, of_calendars bigint[]) RETURNS bigint LANGUAGE plpgsql AS
$$
DECLARE
    staying bigint[];
    count_of_ours bigint;
BEGIN
    -- In the order in which workers lock: calendars, then conferences, each by its key.
    PERFORM FROM syncer.calendar WHERE tenant_id = of_tenant AND calendar_id = ANY (of_calendars)
    ORDER BY calendar_id FOR UPDATE;
    PERFORM FROM syncer.conference
    WHERE tenant_id = of_tenant AND (driver_calendar_id = ANY (of_calendars) OR conference_id IN (
        SELECT conference_id FROM syncer.link WHERE tenant_id = of_tenant AND calendar_id = ANY (of_calendars)))
    ORDER BY conference_id FOR NO KEY UPDATE;

    SELECT coalesce(array_agg(conference_id), '{}'), count(*) FILTER (WHERE state <> 'watched')
    INTO staying, count_of_ours
    FROM syncer.conference c
    WHERE tenant_id = of_tenant AND state IN ('live', 'watched', 'leaving', 'held')
        AND (driver_calendar_id = ANY (of_calendars) OR EXISTS (
            SELECT FROM syncer.link l WHERE l.tenant_id = of_tenant AND l.conference_id = c.conference_id
                AND l.calendar_id = ANY (of_calendars)))
        AND NOT EXISTS (
            SELECT FROM syncer.link l WHERE l.tenant_id = of_tenant AND l.conference_id = c.conference_id
                AND l.calendar_id <> ALL (of_calendars));

    INSERT INTO syncer.history (tenant_id, kind, conference_id, calendar_id, event_id, detail)
    SELECT tenant_id, 'unlinked', conference_id, calendar_id, event_id,
        jsonb_build_object('reason', 'its calendar was removed', 'calendar', google_id)
    FROM syncer.link JOIN syncer.calendar USING (tenant_id, calendar_id)
    WHERE tenant_id = of_tenant AND calendar_id = ANY (of_calendars);

    INSERT INTO syncer.history (tenant_id, kind, conference_id, detail)
    SELECT of_tenant, 'detached', conference_id, jsonb_build_object('reason', 'its calendar was removed')
    FROM unnest(staying) AS conference_id;

    -- Another of its events is left: it drives, but when that goes too the one here may still be there.
    UPDATE syncer.conference c
    SET was_detached = true, next_try_at = NULL,
        wanted_version = wanted_version + (driver_calendar_id = ANY (of_calendars) AND state = 'live')::int
    WHERE tenant_id = of_tenant AND conference_id <> ALL (staying) AND conference_id IN (
        SELECT conference_id FROM syncer.link WHERE tenant_id = of_tenant AND calendar_id = ANY (of_calendars));

    -- Under a version of its own, so that a push that is under way leaves it detached; applied, so that none follows.
    UPDATE syncer.conference
    SET state = 'detached', reason = 'its calendar was removed', wanted_version = wanted_version + 1,
        applied_version = wanted_version + 1, applied = CASE WHEN is_in_doubt THEN NULL ELSE applied END,
        is_in_doubt = false, driver_calendar_id = NULL, driver_event_id = NULL, unlinked_at = NULL,
        delete_after = NULL, was_released = false, failures = 0, next_try_at = NULL
    WHERE tenant_id = of_tenant AND conference_id = ANY (staying);

    WITH left_to AS MATERIALIZED (
        SELECT DISTINCT ON (mine.account_id, mine.meeting_id) mine.account_id, mine.meeting_id, theirs.tenant_id,
            theirs.conference_id
        FROM syncer.conference mine JOIN syncer.meeting_owner o USING (account_id, meeting_id)
        LEFT JOIN syncer.conference theirs ON theirs.account_id = mine.account_id
            AND theirs.meeting_id = mine.meeting_id AND theirs.tenant_id <> of_tenant AND EXISTS (
                SELECT FROM syncer.link l
                WHERE l.tenant_id = theirs.tenant_id AND l.conference_id = theirs.conference_id)
        WHERE mine.tenant_id = of_tenant AND o.tenant_id = of_tenant AND mine.conference_id = ANY (staying)
        ORDER BY mine.account_id, mine.meeting_id, theirs.tenant_id
    ), asked AS (
        UPDATE syncer.conference c SET is_in_doubt = true, wanted_version = c.wanted_version + 1, next_try_at = NULL
        FROM left_to WHERE c.tenant_id = left_to.tenant_id AND c.conference_id = left_to.conference_id
    ), handed AS (
        UPDATE syncer.meeting_owner o SET tenant_id = left_to.tenant_id FROM left_to
        WHERE (o.account_id, o.meeting_id) = (left_to.account_id, left_to.meeting_id)
            AND left_to.tenant_id IS NOT NULL
    )
    DELETE FROM syncer.meeting_owner o USING left_to
    WHERE (o.account_id, o.meeting_id) = (left_to.account_id, left_to.meeting_id) AND left_to.tenant_id IS NULL;

    DELETE FROM syncer.calendar WHERE tenant_id = of_tenant AND calendar_id = ANY (of_calendars);
    RETURN count_of_ours;
END
$$;

-- migrate:down
