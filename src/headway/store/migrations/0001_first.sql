-- The record, from the first table. Times are seconds since 1970; JSON is canonical text.

CREATE TABLE studies (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    definition TEXT NOT NULL,          -- JSON: what makes it this study and no other
    settings TEXT NOT NULL,            -- JSON: what may change between runs (budget, workers, limits)
    source TEXT NOT NULL,              -- the study file, relative to the project's root
    experiment TEXT NOT NULL,
    metric TEXT NOT NULL,
    direction TEXT NOT NULL,
    state TEXT NOT NULL,               -- new | running | paused | finished
    request TEXT,                      -- what a person asked of the engine: pause | now
    lease_pid INTEGER,
    lease_started REAL,                -- start time of that process: a pid alone is reused
    created REAL NOT NULL,
    updated REAL NOT NULL
);

CREATE TABLE candidates (
    id TEXT PRIMARY KEY,               -- digest of experiment, config and patch
    experiment TEXT NOT NULL,
    config TEXT NOT NULL,
    patch TEXT,
    created REAL NOT NULL
);

CREATE TABLE proposals (               -- who proposed which candidate to which study, in which order: the lineage
    study INTEGER NOT NULL REFERENCES studies (id),
    number INTEGER NOT NULL,
    candidate TEXT NOT NULL REFERENCES candidates (id),
    proposer TEXT NOT NULL,
    parents TEXT NOT NULL DEFAULT '[]',
    note TEXT NOT NULL DEFAULT '',
    created REAL NOT NULL,
    PRIMARY KEY (study, number)
);

CREATE TABLE trials (
    id INTEGER PRIMARY KEY,
    candidate TEXT NOT NULL REFERENCES candidates (id),
    seed INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    message TEXT NOT NULL DEFAULT '',
    fingerprint TEXT,                  -- digest of the traceback's frames: equal crashes share it
    value REAL,
    metrics TEXT NOT NULL DEFAULT '{}',
    step INTEGER,                      -- steps done
    horizon INTEGER,                   -- steps of a full run
    manifest TEXT REFERENCES manifests (digest),
    record TEXT NOT NULL DEFAULT '{}', -- JSON: command, study file, environment, hardware
    wall_seconds REAL NOT NULL DEFAULT 0,
    cpu_seconds REAL NOT NULL DEFAULT 0,
    peak_memory_bytes INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,
    started REAL,
    ended REAL
);
CREATE INDEX trials_by_candidate ON trials (candidate, seed);
CREATE INDEX trials_by_state ON trials (state);

CREATE TABLE study_trials (            -- a trial belongs to the store; studies share it
    study INTEGER NOT NULL REFERENCES studies (id),
    trial INTEGER NOT NULL REFERENCES trials (id),
    role TEXT NOT NULL,
    number INTEGER NOT NULL,           -- the proposal that it belongs to; 0 is the baseline
    reused INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (study, trial)
);
CREATE INDEX study_trials_by_trial ON study_trials (trial);

CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,
    trial INTEGER NOT NULL REFERENCES trials (id),
    study INTEGER NOT NULL REFERENCES studies (id),
    pid INTEGER,
    pid_started REAL,
    directory TEXT NOT NULL,
    started REAL NOT NULL,
    ended REAL,
    outcome TEXT,
    wall_seconds REAL NOT NULL DEFAULT 0,
    cpu_seconds REAL NOT NULL DEFAULT 0,
    peak_memory_bytes INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX attempts_by_trial ON attempts (trial);
CREATE INDEX attempts_open ON attempts (study) WHERE ended IS NULL;

CREATE TABLE curves (                  -- columns, not points: one row an attempt and metric
    trial INTEGER NOT NULL REFERENCES trials (id),
    attempt INTEGER NOT NULL REFERENCES attempts (id),
    metric TEXT NOT NULL,
    points INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (trial, attempt, metric)
);

CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    study INTEGER REFERENCES studies (id),
    trial INTEGER REFERENCES trials (id),
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX events_by_study ON events (study, id);
CREATE INDEX events_by_trial ON events (trial, id);

CREATE TABLE manifests (
    digest TEXT PRIMARY KEY,
    data TEXT NOT NULL
);

CREATE TABLE artifacts (               -- files that trials made, by content
    trial INTEGER NOT NULL REFERENCES trials (id),
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    created REAL NOT NULL,
    PRIMARY KEY (trial, name)
);

CREATE TABLE verdicts (
    id INTEGER PRIMARY KEY,
    study INTEGER NOT NULL REFERENCES studies (id),
    candidate TEXT NOT NULL REFERENCES candidates (id),
    baseline TEXT NOT NULL REFERENCES candidates (id),
    decision TEXT NOT NULL,
    sentence TEXT NOT NULL,
    data TEXT NOT NULL,
    created REAL NOT NULL,
    UNIQUE (study, candidate)
);

CREATE TABLE budget (                  -- what was spent, an entry an attempt or a session
    id INTEGER PRIMARY KEY,
    study INTEGER NOT NULL REFERENCES studies (id),
    trial INTEGER REFERENCES trials (id),
    kind TEXT NOT NULL,                -- trials | seconds | idle core seconds ...
    amount REAL NOT NULL,
    at REAL NOT NULL
);
CREATE INDEX budget_by_study ON budget (study, kind);

CREATE TABLE queue (                   -- candidates that people and scripts put in while a study runs
    id INTEGER PRIMARY KEY,
    study INTEGER NOT NULL REFERENCES studies (id),
    config TEXT NOT NULL,
    proposer TEXT NOT NULL,
    parents TEXT NOT NULL DEFAULT '[]',
    note TEXT NOT NULL DEFAULT '',
    priority INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,
    taken REAL
);
CREATE INDEX queue_waiting ON queue (study, priority DESC, id) WHERE taken IS NULL;

CREATE TABLE file_digests (            -- a cache: a file with the same stamp has the same digest
    path TEXT PRIMARY KEY,
    stamp TEXT NOT NULL,               -- inode, size, mtime and ctime in nanoseconds
    digest TEXT NOT NULL
);
