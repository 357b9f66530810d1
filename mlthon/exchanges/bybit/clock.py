"""The venue's time, estimated from ours."""

from mlthon._core.venue_clock import VenueClock

__all__ = ["VenueClock"]
