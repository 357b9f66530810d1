"""OrderBook, order by order, for strategies that subscribe to `MDSub.OrderBook`."""

from mlthon._core.order_book import BookOrder, OrderBook, OrderBookLevel

__all__ = ["BookOrder", "OrderBook", "OrderBookLevel"]
