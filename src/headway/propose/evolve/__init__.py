"""Evolution of programs: who is worth a child or another run, what a proposer is told, and what it answers.

Pure, but for the proposers, which talk to models and agents. `studies.evolving` runs it.
"""

from headway.propose.evolve.answers import parse_answer
from headway.propose.evolve.beliefs import Beliefs
from headway.propose.evolve.context import Context, Dead, Program, Proposed
from headway.propose.evolve.novelty import normal_form
from headway.propose.evolve.prompt import INSTRUCTIONS, prompt_of
from headway.propose.evolve.proposers import AgentProposer, FunctionProposer, ModelProposer, Proposer
from headway.propose.evolve.selection import Choice, choose
from headway.propose.evolve.turning import KnobProposer

__all__ = [
    "INSTRUCTIONS",
    "AgentProposer",
    "Beliefs",
    "Choice",
    "Context",
    "Dead",
    "FunctionProposer",
    "KnobProposer",
    "ModelProposer",
    "Program",
    "Proposed",
    "Proposer",
    "choose",
    "normal_form",
    "parse_answer",
    "prompt_of",
]
