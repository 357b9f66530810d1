"""Qty: a quantity, exact."""

from mlthon._core.fixed import Qty

__all__ = ["Qty"]
