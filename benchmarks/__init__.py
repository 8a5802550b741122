"""Benchmarks of Headway beside its peers. Not part of the wheel.

    python -m benchmarks --list
    python -m benchmarks logging listing --repeats 3

To add one, write `benchmarks/<name>.py` with a function under `@benchmark("one line: what it claims")`:

    @benchmark("A trial begins within 30 ms")
    def run(context: Context) -> Result: ...

The name is the module's. `context` knows the number of repeats and the size (`context.pick(full, quick)`), makes
folders on a real disk, measures subprocesses, and repeats measurements in turns (A B C A B C). The result holds tables
(a row holds the repeats of one number), figures, and targets.

To measure a peer, pin it in `peers.txt` under a group of its own or an existing one, and write a script under `peers/`
that prints one line of JSON as its last: `context.drive` runs it in the peer's environment, or, for Headway's own rows,
in this one. A peer that cannot be measured raises `PeerFailed`; its row gives the reason, and the targets that need
its figure do not hold.
"""
