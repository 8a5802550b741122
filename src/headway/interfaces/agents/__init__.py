"""The eight verbs of agents as plain functions over the store: the MCP server and the command line both call them.

board           brief, status: the study as all see it
open_board      the same for a study that stays open, whose ideas are judged as they come
proposing       propose: claim an idea
waiting         wait: what came since; news: the verdicts that did
results         result, compare; changed: what a candidate changes in the code, and what was seen of it
failures        explain_failure
promoting       promote
verbs           the verbs by name, with their arguments: checked here for both ways in
answers         sizes and quotations
bookkeeping     budget, counts, causes of failures, what runs, what was promoted
candidates      which candidate is meant, what it was made from, where it stands
ideas           candidates as rows of the board; kinds: knobs or code; imported: what an old ledger holds
repository      how a repository is run, and how far its score counts
files           the code of candidates, whole and in pieces
remembered      what is worked out once a process
configurations  what is not given is the baseline's
whereabouts     the store's folder in commands, whether an engine lives

Names are loaded when they are used: `headway status` needs the last file alone.
"""

from typing import TYPE_CHECKING

from headway.core.lazy import lazily

if TYPE_CHECKING:
    from headway.interfaces.agents.verbs import VERBS, Parameter, Verb, call

__all__ = ["VERBS", "Parameter", "Verb", "call"]

__getattr__ = lazily(__name__, {"verbs": __all__})
