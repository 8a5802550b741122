-- Studies that stay open have thousands of verdicts, and agents that ask for the newest, the last accepted and the counts.

CREATE INDEX verdicts_in_order ON verdicts (study);                    -- with the row's id behind it: since, newest
CREATE INDEX verdicts_by_decision ON verdicts (study, decision);       -- counts, the last one accepted
CREATE INDEX proposals_of_candidate ON proposals (study, candidate);   -- was it proposed, and under which number?
