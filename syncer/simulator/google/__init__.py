"""A simulated Google Calendar: the API's public face over memory, with what Google refuses and how it fails."""

from syncer.simulator.google.simulator import GoogleSimulator

__all__ = ["GoogleSimulator"]
