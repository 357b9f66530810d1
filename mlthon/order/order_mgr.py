"""OrderMgr: a strategy's own account of its orders."""

from mlthon._core.order_mgr import OrderMgr

__all__ = ["OrderMgr"]
