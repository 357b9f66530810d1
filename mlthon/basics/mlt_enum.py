"""MltEnum, the base of every published enum."""

from mlthon._core.enums import MltEnum

__all__ = ["MltEnum"]
