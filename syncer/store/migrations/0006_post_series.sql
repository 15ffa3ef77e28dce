-- migrate:up
-- Workers that left series alone are gone. What there is of series is not known: all of it is read anew.

DELETE FROM syncer.note WHERE kind = 'series';
ALTER TABLE syncer.note DROP CONSTRAINT note_kind_check;
ALTER TABLE syncer.note ADD CONSTRAINT note_kind_check CHECK (kind IN ('set_aside', 'guest'));
UPDATE syncer.calendar SET sync_token = NULL, page_token = NULL, is_full_read = true, read_from = NULL;

-- migrate:down
