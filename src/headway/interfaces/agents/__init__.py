"""The eight verbs of agents as plain functions over the store: the MCP server and the command line both call them.

board           brief, status: the study as all see it
proposing       propose: claim an idea
waiting         wait: what ended since
results         result, compare
failures        explain_failure
promoting       promote
verbs           the verbs by name, with their arguments: checked here for both ways in
answers         sizes and quotations
candidates      which candidate is meant, where it stands
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
