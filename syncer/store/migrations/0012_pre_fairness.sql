-- migrate:up
-- Weighted turns and requests a minute of tenants; the calls that providers grant their accounts, and what is used.

ALTER TABLE syncer.tenant
    ADD COLUMN per_minute integer CONSTRAINT a_tenant_has_a_request_a_minute_or_more CHECK (per_minute > 0),
    ADD COLUMN weight integer NOT NULL DEFAULT 1
        CONSTRAINT a_weight_is_between_1_and_100 CHECK (weight BETWEEN 1 AND 100);

CREATE FUNCTION syncer.are_call_limits(limits text[]) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT NOT EXISTS (
    SELECT FROM unnest(limits) AS one
    WHERE one IS NULL OR one !~ '^[1-9][0-9]{0,8}/(second|minute|hour|day)(/(updates|organizer))?$') $$;

ALTER TABLE syncer.provider_account
    ADD COLUMN limits text[] NOT NULL DEFAULT '{}'
        CONSTRAINT provider_limits_are_limits CHECK (syncer.are_call_limits(limits));

DROP TRIGGER provider_account_revised ON syncer.provider_account;
CREATE TRIGGER provider_account_revised AFTER UPDATE ON syncer.provider_account FOR EACH ROW
WHEN ((OLD.provider, OLD.settings, OLD.credential, OLD.limits)
    IS DISTINCT FROM (NEW.provider, NEW.settings, NEW.credential, NEW.limits))
EXECUTE FUNCTION syncer.revise_tenants();

-- Calls of one limit by when they were answered, or may be at the latest. A slot is a sixtieth of the limit's span, and
-- what stands in it counts for a whole span after its end.
CREATE TABLE syncer.provider_spend (
    account_id bigint NOT NULL REFERENCES syncer.provider_account ON DELETE CASCADE,
    scope text NOT NULL,
    slot bigint NOT NULL,
    seconds integer NOT NULL CHECK (seconds > 0),
    calls integer NOT NULL CHECK (calls >= 0),
    PRIMARY KEY (account_id, scope, slot)
) WITH (fillfactor = 70);

-- One worker at a time for one account: each statement in here sees what the worker before has written.
-- settled: [{scope, seconds, slot, unused, ended, age}] of earlier reservations: calls that go back, and calls that were
-- answered `age` seconds ago at the latest. wanted: [{scope, seconds, most, calls, hold}]: so many calls, answered in
-- `hold` seconds at the latest. Gives for each of those how many are granted, in which slot, and seconds until there
-- may be room for more.
CREATE FUNCTION syncer.reserve_calls(which bigint, settled jsonb, wanted jsonb)
RETURNS TABLE (scope text, granted integer, slot bigint, room_in double precision) LANGUAGE plpgsql AS
$$
DECLARE
    at double precision;
    one record;
    used bigint;
    ended_slot bigint;
BEGIN
    PERFORM FROM syncer.provider_account a WHERE a.account_id = which FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    at := extract(epoch FROM syncer.clock());
    FOR one IN SELECT * FROM jsonb_to_recordset(settled)
        AS s(scope text, seconds integer, slot bigint, unused integer, ended integer, age double precision)
    LOOP
        ended_slot := least(ceil((at - one.age) * 60 / one.seconds)::bigint, one.slot);
        UPDATE syncer.provider_spend p SET calls = greatest(p.calls - one.unused - one.ended, 0)
        WHERE p.account_id = which AND p.scope = one.scope AND p.slot = one.slot;
        IF FOUND AND one.ended > 0 THEN
            INSERT INTO syncer.provider_spend AS p (account_id, scope, slot, seconds, calls)
            VALUES (which, one.scope, ended_slot, one.seconds, one.ended)
            ON CONFLICT ON CONSTRAINT provider_spend_pkey DO UPDATE SET calls = p.calls + excluded.calls;
        END IF;
    END LOOP;
    FOR one IN SELECT * FROM jsonb_to_recordset(wanted)
        AS w(scope text, seconds integer, most integer, calls integer, hold double precision)
    LOOP
        DELETE FROM syncer.provider_spend p
        WHERE p.account_id = which AND p.scope = one.scope AND p.slot <= (at - one.seconds) * 60 / one.seconds;
        SELECT coalesce(sum(p.calls), 0) INTO used FROM syncer.provider_spend p
        WHERE p.account_id = which AND p.scope = one.scope;
        scope := one.scope;
        granted := least(one.calls, greatest(one.most - used, 0));
        slot := ceil((at + one.hold) * 60 / one.seconds);
        IF granted > 0 THEN
            INSERT INTO syncer.provider_spend AS p (account_id, scope, slot, seconds, calls)
            VALUES (which, scope, slot, one.seconds, granted)
            ON CONFLICT ON CONSTRAINT provider_spend_pkey DO UPDATE SET calls = p.calls + excluded.calls;
        END IF;
        SELECT coalesce(min(u.slot) * one.seconds / 60.0 + one.seconds - at, 0) INTO room_in FROM (
            SELECT p.slot, sum(p.calls) OVER (ORDER BY p.slot) AS gone FROM syncer.provider_spend p
            WHERE p.account_id = which AND p.scope = one.scope) AS u
        WHERE used + granted - u.gone < one.most;
        RETURN NEXT;
    END LOOP;
END
$$;

-- migrate:down
