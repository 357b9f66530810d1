"""PriceLevelBook, for strategies that subscribe to `MDSub.PriceLevelBook`."""

from mlthon._core.price_book import PriceLevel, PriceLevelBook

__all__ = ["PriceLevel", "PriceLevelBook"]
