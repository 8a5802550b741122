"""The trackers that Headway's record is measured beside. Their settings are in `peers/<name>_logger.py`."""

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.runner import Context, Driven, Peer, PeerFailed, Row, Sample

__all__ = ["TRACKERS", "row_of"]

TRACKERS = {
    "trackio": Peer(name="trackio", package="trackio", group="trackers"),
    "tensorboardx": Peer(name="tensorboardx", package="tensorboardX", group="trackers"),
    "mlflow": Peer(name="mlflow", package="mlflow", group="trackers"),
    "mlflow_async": Peer(name="mlflow_async", package="mlflow", group="trackers"),
    "mlflow_fluent": Peer(name="mlflow_fluent", package="mlflow", group="trackers"),
    "wandb": Peer(name="wandb", package="wandb", group="trackers"),
}


def row_of(
    context: Context,
    name: str,
    found: "Sequence[Driven] | PeerFailed",
    value: Callable[[dict[str, Any]], float],
    note: str = "",
) -> Row:
    """Make a row of what a script printed in each repeat. `value` takes the row's number from it.

    `name` begins with the logger's; a row called headway is the one that the others are compared to.
    """
    peer = TRACKERS.get(name.split()[0])
    version = "" if name == "mmap" else context.version(peer)
    if isinstance(found, PeerFailed):
        return Row(name=name, failure=str(found), version=version, note=note)
    samples = [Sample(value(item.data), item.data.get("cpu_seconds"), item.data.get("wall_seconds")) for item in found]
    return Row(name=name, samples=samples, version=version, note=note, ours=name == "headway")
