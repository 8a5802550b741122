-- What must outlive a study for its verdicts to hold: every test of the project, and how worn its holdouts are.

CREATE TABLE tests (
    id INTEGER PRIMARY KEY,            -- the place in the project's sequence, which decides the level
    study INTEGER NOT NULL REFERENCES studies (id),
    candidate TEXT NOT NULL REFERENCES candidates (id),
    evidence TEXT NOT NULL,            -- digest of the results it was read from: the same ones are no new test
    log_e REAL NOT NULL,
    level REAL NOT NULL,
    accepted INTEGER NOT NULL,
    created REAL NOT NULL,
    UNIQUE (study, candidate, evidence)
);

CREATE TABLE holdouts (
    name TEXT PRIMARY KEY,
    state TEXT NOT NULL,               -- JSON: budget, queries, what was spent, the noise of the threshold
    created REAL NOT NULL
);
