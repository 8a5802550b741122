"""What a trial is made of: the experiment that it runs and the `Run` that it speaks through."""

from headway.experiments.command import CommandExperiment, CommandFailed, command
from headway.experiments.current import current_run, log, report, set_current
from headway.experiments.definition import Experiment, FunctionExperiment, Standing, experiment, registered
from headway.experiments.loading import StopLoading, load_file, loading
from headway.experiments.metrics import LineSplitter, MetricLine, OutputParser
from headway.experiments.randomness import seed_everything
from headway.experiments.run import EXIT_NO_DISK, EXIT_PAUSED, BadMetric, Paused, Run, RunChannel, Settings, StepsFailed

__all__ = [
    "EXIT_NO_DISK",
    "EXIT_PAUSED",
    "BadMetric",
    "CommandExperiment",
    "CommandFailed",
    "Experiment",
    "FunctionExperiment",
    "LineSplitter",
    "MetricLine",
    "OutputParser",
    "Paused",
    "Run",
    "RunChannel",
    "Settings",
    "Standing",
    "StepsFailed",
    "StopLoading",
    "command",
    "current_run",
    "experiment",
    "load_file",
    "loading",
    "log",
    "registered",
    "report",
    "seed_everything",
    "set_current",
]
