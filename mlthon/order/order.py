"""Order: what a strategy sees of one of its orders."""

from mlthon._core.order import Order

__all__ = ["Order"]
