"""The `headway` command: one file a command or two, loaded when it is called, so that `status` answers at once.

app      the group, its errors and exit codes, what all commands share
places   which store, which study, which trial is meant
words    states, numbers, times, tables: how values are shown
curves   sparklines and the small plot
"""

from headway.interfaces.cli.app import main

__all__ = ["main"]
