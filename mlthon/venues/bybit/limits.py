"""What the venue bears from its clients: request rates, message sizes, and how far a slow reader may fall behind."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class VenueLimits:
    """The venue's limits; the defaults are Bybit's where Bybit publishes one.

    Rates are per account, endpoint and second. A market that is played faster than it was recorded makes clients
    faster too, so whoever speeds it up raises the rates with it:

    >>> VenueLimits().faster(20).orders_per_s
    200
    """

    orders_per_s: int = 10  #: each of create, amend, cancel, cancel-all, and of their batch forms
    spot_orders_per_s: int = 20  #: the same in spot, but for amends, which are as above
    queries_per_s: int = 50  #: each of the order, execution, position, wallet and account queries
    fee_queries_per_s: int = 5
    batch_orders: int = 20  #: orders in one batch request
    spot_batch_orders: int = 10
    body_bytes: int = 256 * 1024  #: of one HTTP request
    message_bytes: int = 64 * 1024  #: of one websocket message from a client
    topic_chars: int = 21_000  #: all topics of one connection together
    spot_args: int = 10  #: topics in one request to the public spot stream
    connections: int = 1_000  #: websockets open at once
    address_connections: int = 500  #: new websockets from one address in five minutes
    address_requests: int = 600  #: HTTP requests from one address in five seconds; beyond, HTTP 403
    address_ban_s: float = 600.0  #: for how long
    address_failed_logins: int = 50  #: from one address in five minutes; beyond, no login (10018)
    outbox_bytes: int = 16 * 1024 * 1024  #: unread messages of one connection; beyond, it is cut
    idle_s: float = 600.0  #: silence after which a private or trade connection is closed

    def faster(self, factor: float) -> VenueLimits:
        """The same limits with every rate multiplied by `factor`, which may be infinite, and rounded up."""
        return replace(
            self,
            orders_per_s=_raised(self.orders_per_s, factor),
            spot_orders_per_s=_raised(self.spot_orders_per_s, factor),
            queries_per_s=_raised(self.queries_per_s, factor),
            fee_queries_per_s=_raised(self.fee_queries_per_s, factor),
            address_requests=_raised(self.address_requests, factor),
            address_connections=_raised(self.address_connections, factor),
        )


def _raised(rate: int, factor: float) -> int:
    return max(1, math.ceil(min(rate * factor, _HIGHEST_RATE)))


_HIGHEST_RATE = 1e9
