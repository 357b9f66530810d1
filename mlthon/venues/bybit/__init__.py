"""A simulated Bybit: its v5 protocol, served on loopback in front of the simulated exchange."""

from mlthon.venues.bybit.limits import VenueLimits
from mlthon.venues.bybit.server import BybitVenue, Endpoints

__all__ = ["BybitVenue", "Endpoints", "VenueLimits"]
