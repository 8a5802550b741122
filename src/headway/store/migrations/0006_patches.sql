-- Changes of code wait in the queue beside configurations.

ALTER TABLE queue ADD COLUMN patch TEXT;       -- canonical JSON: changed files of the repository, by path, with their new text
ALTER TABLE queue ADD COLUMN candidate TEXT;   -- the id that it gets: is the idea there already?
DROP INDEX queue_configs;
CREATE INDEX queue_candidates ON queue (study, candidate) WHERE taken IS NULL;
