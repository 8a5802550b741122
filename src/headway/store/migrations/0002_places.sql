-- A study finds, counts and ranks its trials by an index alone, however many there are; what trials have in common
-- (hardware, environment, limits) is stored once.

CREATE TABLE records (
    digest TEXT PRIMARY KEY,
    data TEXT NOT NULL                 -- JSON: command, study file, environment, hardware
);
INSERT INTO records SELECT 'trial ' || min(id), record FROM trials GROUP BY record;
ALTER TABLE trials ADD COLUMN record_digest TEXT REFERENCES records (digest);
UPDATE trials SET record_digest = (SELECT digest FROM records WHERE data = trials.record);
ALTER TABLE trials DROP COLUMN record;
ALTER TABLE trials RENAME COLUMN record_digest TO record;

-- Copies of what the trial's row says: every change of a trial writes both, in one transaction.
ALTER TABLE study_trials ADD COLUMN candidate TEXT NOT NULL DEFAULT '';
ALTER TABLE study_trials ADD COLUMN seed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE study_trials ADD COLUMN state TEXT NOT NULL DEFAULT 'queued';
ALTER TABLE study_trials ADD COLUMN value REAL;
ALTER TABLE study_trials ADD COLUMN seconds REAL NOT NULL DEFAULT 0;
ALTER TABLE study_trials ADD COLUMN saved_seconds REAL NOT NULL DEFAULT 0;
UPDATE study_trials SET
    candidate = (SELECT candidate FROM trials WHERE id = trial),
    seed = (SELECT seed FROM trials WHERE id = trial),
    state = (SELECT state FROM trials WHERE id = trial),
    value = (SELECT value FROM trials WHERE id = trial),
    seconds = (SELECT wall_seconds FROM trials WHERE id = trial),
    saved_seconds = (
        SELECT CASE WHEN reason = 'scheduler' AND step > 0 AND horizon > step
            THEN wall_seconds * (horizon * 1.0 / step - 1) ELSE 0 END
        FROM trials WHERE id = trial);
CREATE UNIQUE INDEX study_trials_by_candidate ON study_trials (study, candidate, seed);
CREATE INDEX study_trials_ranked ON study_trials (study, state, value, reused, seconds, saved_seconds);
DROP INDEX trials_by_state;

ALTER TABLE attempts ADD COLUMN live TEXT;  -- where its run log lies while it runs, if not in its directory
