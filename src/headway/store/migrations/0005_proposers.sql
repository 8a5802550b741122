-- Many proposers at one study: a fair queue, proposals that may be sent twice, and promotions that a person confirms.

ALTER TABLE queue ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;  -- equal priorities: the round in which it is taken
ALTER TABLE queue ADD COLUMN token TEXT;                       -- the sender's own name for it: sent twice, queued once
DROP INDEX queue_waiting;
CREATE INDEX queue_waiting ON queue (study, priority DESC, turn, id) WHERE taken IS NULL;
CREATE INDEX queue_own ON queue (study, proposer, priority, turn) WHERE taken IS NULL;  -- a proposer's last turn
CREATE INDEX queue_configs ON queue (study, config) WHERE taken IS NULL;                -- is the idea there already?
CREATE UNIQUE INDEX queue_tokens ON queue (study, proposer, token) WHERE token IS NOT NULL;

CREATE TABLE promotions (              -- accepted candidates that somebody wants to build on
    id INTEGER PRIMARY KEY,
    study INTEGER NOT NULL REFERENCES studies (id),
    candidate TEXT NOT NULL REFERENCES candidates (id),
    proposer TEXT NOT NULL,
    note TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL,               -- asked | promoted | refused
    created REAL NOT NULL,
    answered REAL,
    answered_by TEXT,                  -- a person, or 'the study' where it allows promotions by itself
    UNIQUE (study, candidate)
);
ALTER TABLE studies ADD COLUMN promotes INTEGER NOT NULL DEFAULT 0;  -- accepted candidates need no person's word
