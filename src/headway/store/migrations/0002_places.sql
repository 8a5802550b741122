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

-- A place carries copies of what the trial's row says: every change of a trial writes both, in one transaction.
CREATE TABLE places (
    position INTEGER PRIMARY KEY,      -- in the order in which trials came to the study
    study INTEGER NOT NULL REFERENCES studies (id),
    trial INTEGER NOT NULL REFERENCES trials (id),
    role TEXT NOT NULL,
    number INTEGER NOT NULL,           -- the proposal that it belongs to; 0 is the baseline
    reused INTEGER NOT NULL DEFAULT 0,
    candidate TEXT NOT NULL,
    seed INTEGER NOT NULL,
    state TEXT NOT NULL,
    value REAL,
    seconds REAL NOT NULL DEFAULT 0,
    saved_seconds REAL NOT NULL DEFAULT 0,
    UNIQUE (trial, study),
    UNIQUE (study, candidate, seed)
);
INSERT OR REPLACE INTO places
    SELECT s.rowid, s.study, s.trial, s.role, s.number, s.reused, t.candidate, t.seed, t.state, t.value, t.wall_seconds,
        CASE WHEN t.reason = 'scheduler' AND t.step > 0 AND t.horizon > t.step
            THEN t.wall_seconds * (t.horizon * 1.0 / t.step - 1) ELSE 0 END
    FROM study_trials s JOIN trials t ON t.id = s.trial ORDER BY s.rowid;
DROP TABLE study_trials;
ALTER TABLE places RENAME TO study_trials;
CREATE INDEX study_trials_ranked ON study_trials (study, state, value, reused, seconds, saved_seconds);
CREATE INDEX study_trials_by_number ON study_trials (study, number);

CREATE TABLE listed (
    study INTEGER NOT NULL REFERENCES studies (id),
    number INTEGER NOT NULL,
    candidate TEXT NOT NULL REFERENCES candidates (id),
    proposer TEXT NOT NULL,
    parents TEXT NOT NULL DEFAULT '[]',
    note TEXT NOT NULL DEFAULT '',
    created REAL NOT NULL,
    PRIMARY KEY (study, number)
) WITHOUT ROWID;
INSERT INTO listed SELECT study, number, candidate, proposer, parents, note, created FROM proposals;
DROP TABLE proposals;
ALTER TABLE listed RENAME TO proposals;
DROP INDEX trials_by_state;

ALTER TABLE attempts ADD COLUMN live TEXT;  -- where its run log lies while it runs, if not in its directory
