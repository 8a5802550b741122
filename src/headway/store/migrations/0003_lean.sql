-- Fewer pages a trial: each commit writes every page that it touched anew. What these indexes answered, others do.

DROP INDEX attempts_open;              -- an attempt is open where its trial's place says that it runs

CREATE TABLE places (
    position INTEGER PRIMARY KEY,      -- in the order in which trials came to the study
    study INTEGER NOT NULL REFERENCES studies (id),
    trial INTEGER NOT NULL REFERENCES trials (id),
    role TEXT NOT NULL,
    number INTEGER NOT NULL,           -- the proposal that it belongs to; 0 is the baseline
    reused INTEGER NOT NULL DEFAULT 0,
    candidate TEXT NOT NULL,
    seed INTEGER NOT NULL,             -- a candidate with a seed has one place: the writer takes the old one away
    state TEXT NOT NULL,
    value REAL,
    seconds REAL NOT NULL DEFAULT 0,
    saved_seconds REAL NOT NULL DEFAULT 0,
    UNIQUE (trial, study)
);
INSERT INTO places SELECT position, study, trial, role, number, reused, candidate, seed, state, value, seconds,
    saved_seconds FROM study_trials ORDER BY position;
DROP TABLE study_trials;
ALTER TABLE places RENAME TO study_trials;
CREATE INDEX study_trials_ranked ON study_trials (study, state, value, reused, seconds, saved_seconds);
