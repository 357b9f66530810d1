"""MLDecimal: a number that is neither a price nor a quantity, exact."""

from mlthon._core.fixed import MLDecimal

__all__ = ["MLDecimal"]
