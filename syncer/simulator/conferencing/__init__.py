"""A conferencing system to try syncer against: meetings, a REST face, a webhook face and faults, all in memory."""

from syncer.simulator.conferencing.server import ConferencingSimulator

__all__ = ["ConferencingSimulator"]
