"""Triage: failed trials grouped by cause, with what they share, what they cost, and what to do next.

Who reads from top to bottom follows one failure:

cases       what failed and what passed, from the store
frames      tracebacks: the chain of exceptions, the first bad frame in the user's code
templates   messages without what varies
causes      failures by cause
columns     parameters as columns, and the tests that a rule can make
rules       which parameters decide, and how sure that is
smallest    the smallest configuration that shows it
figures     what was used of which limit
words       sentences
advice      the next step
groups      what comes out, and its JSON
triaging    `triage`, the way in: `headway triage` and agents call it
"""

from headway.studies.triage.advice import command_text
from headway.studies.triage.groups import Advice, Group, Triage
from headway.studies.triage.triaging import brief_of, triage

__all__ = ["Advice", "Group", "Triage", "brief_of", "command_text", "triage"]
