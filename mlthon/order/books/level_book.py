"""LevelBook, for strategies that subscribe to `MDSub.LevelBook`."""

from mlthon._core.level_book import BookLevel, LevelBook

__all__ = ["BookLevel", "LevelBook"]
