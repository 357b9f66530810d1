"""Price: a price, exact."""

from mlthon._core.fixed import Price

__all__ = ["Price"]
