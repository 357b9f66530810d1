"""The private websocket: login, then orders, executions, positions and wallets of the key's account as they change.

Nothing is pushed before the login, and there is no snapshot: clients ask by REST what was before. A topic is either
for all categories (``order``) or for one (``order.linear``); one request must not mix the two forms. Every message
about an order on a contract is followed by the position, changed or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mlthon.sim.account import Account
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import Origin, SimFill, SimOrder, SimPayment
from mlthon.venues.bybit.account_messages import Json, stream_position
from mlthon.venues.bybit.auth import KeyRing
from mlthon.venues.bybit.connection import Connection
from mlthon.venues.bybit.errors import ApiError
from mlthon.venues.bybit.listing import CATEGORIES, CONTRACTS, Listing
from mlthon.venues.bybit.order_messages import (
    execution_row,
    fast_execution_row,
    funding_row,
    stream_order,
)
from mlthon.venues.bybit.subscriptions import (
    Request,
    TopicError,
    ack,
    read_request,
    read_topics,
    unknown_topic,
)
from mlthon.venues.bybit.wallets import Wallets
from mlthon.venues.bybit.wire import WireIds, to_ms

_CATEGORIES_OF = {
    "order": CATEGORIES,
    "execution": CATEGORIES,
    "execution.fast": CATEGORIES,
    "position": CONTRACTS,
}
_TOPICS = frozenset(
    {
        *_CATEGORIES_OF,
        "wallet",
        *(f"{topic}.{category}" for topic, categories in _CATEGORIES_OF.items() for category in categories),
    }
)


class PrivateHub:
    """Pushes what happens to accounts to whoever has subscribed. A listener of the exchange."""

    def __init__(
        self,
        exchange: SimExchange,
        listing: Listing,
        wallets: Wallets,
        ids: WireIds,
        now_ns: Callable[[], int],
    ) -> None:
        self._exchange = exchange
        self._listing = listing
        self._wallets = wallets
        self._ids = ids
        self._now_ns = now_ns
        self._sessions: dict[str, dict[PrivateSession, None]] = {}  # by account, oldest first
        self._accounts: dict[str, Account] = {}  # those with sessions, by name
        self._filled: set[int] = set()  # orders whose fills were told, and they not yet
        self._message_count = 0

    def on_order(self, order: SimOrder) -> None:
        """An order, and the position that it has not changed: a changed one follows by itself."""
        was_filled = order.order_id in self._filled
        self._filled.discard(order.order_id)
        if not self._is_heard(order.account):
            return
        market = self._listing.traded(order.symbol)
        self._push(order.account, "order", market.category, stream_order(order, market, self._ids))
        if not was_filled and not market.is_spot:
            self.on_position(self._accounts[order.account], order.symbol)

    def on_fill(self, fill: SimFill) -> None:
        self._filled.add(fill.order_id)
        if self._is_heard(fill.account):
            market = self._listing.traded(fill.symbol)
            row = execution_row(fill, market, self._ids)
            self._push(fill.account, "execution", market.category, row)
            if fill.origin is Origin.Client:
                fast_row = fast_execution_row(fill, market, self._ids)
                self._push(fill.account, "execution.fast", market.category, fast_row)

    def on_funding(self, payment: SimPayment) -> None:
        if self._is_heard(payment.account):
            market = self._listing.traded(payment.symbol)
            row = funding_row(payment, market, self._ids)
            self._push(payment.account, "execution", market.category, row)

    def on_position(self, account: Account, symbol: str) -> None:
        if self._is_heard(account.name):
            market = self._listing.traded(symbol)
            seq, now_ms = self._exchange.market_seq(symbol), to_ms(self._now_ns())
            row = stream_position(account.position(symbol), market, seq, now_ms)
            self._push(account.name, "position", market.category, row)

    def on_wallet(self, account: Account, coins: tuple[str, ...]) -> None:
        if self._is_heard(account.name):
            self._push(account.name, "wallet", "", self._wallets.row(account, coins))

    def add(self, account: Account, session: PrivateSession) -> None:
        self._accounts[account.name] = account
        self._sessions.setdefault(account.name, {})[session] = None

    def remove(self, account: str, session: PrivateSession) -> None:
        self._sessions.get(account, {}).pop(session, None)

    def _is_heard(self, account: str) -> bool:
        return bool(self._sessions.get(account))

    def _push(self, account: str, topic: str, category: str, row: Json) -> None:
        self._message_count += 1
        names = (topic, f"{topic}.{category}")
        for session in tuple(self._sessions[account]):
            for name in names:
                if name in session.topics:
                    session.push(
                        {
                            "id": f"{account}_{self._message_count}",
                            "topic": name,
                            "creationTime": to_ms(self._now_ns()),
                            "data": [row],
                        }
                    )


class PrivateSession:
    """One client on the private stream."""

    def __init__(
        self, connection: Connection, hub: PrivateHub, keys: KeyRing, now_ns: Callable[[], int]
    ) -> None:
        self.topics: set[str] = set()
        self._connection = connection
        self._hub = hub
        self._keys = keys
        self._now_ns = now_ns
        self._account: str | None = None

    def push(self, message: Json) -> None:
        self._connection.send_json(message)

    def on_message(self, message: Mapping[str, object]) -> None:
        request = read_request(message)
        handle = {
            "auth": self._login,
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "ping": self._pong,
        }.get(request.op, self._refuse_op)
        handle(request)

    def on_malformed(self, reason: str) -> None:
        self._answer(Request("", "", None), False, reason)

    def on_closed(self) -> None:
        if self._account is not None:
            self._hub.remove(self._account, self)

    def _login(self, request: Request) -> None:
        try:
            key = self._keys.check_login(request.args, to_ms(self._now_ns()), self._connection.address)
        except ApiError as refused:
            self._answer(request, False, refused.text, {"retCode": refused.code, "retMsg": refused.text})
            return
        self.on_closed()  # a second login replaces the first
        self._account = key.account.name
        self._hub.add(key.account, self)
        self._answer(request, True)

    def _subscribe(self, request: Request) -> None:
        if self._account is None:
            self._answer(request, False, "Request not authorized")
            return
        try:
            topics = read_topics(request)
            _check_topics(topics)
        except TopicError as wrong:
            self._answer(request, False, str(wrong))
            return
        self.topics.update(topics)
        self._answer(request, True)

    def _unsubscribe(self, request: Request) -> None:
        try:
            self.topics.difference_update(read_topics(request))
        except TopicError as wrong:
            self._answer(request, False, str(wrong))
            return
        self._answer(request, True)

    def _pong(self, request: Request) -> None:
        pong = {"op": "pong", "args": [str(to_ms(self._now_ns()))], "conn_id": self._connection.id}
        self._connection.send_json({"req_id": request.req_id, **pong})

    def _refuse_op(self, request: Request) -> None:
        self._answer(request, False, f"op: expected auth, subscribe, unsubscribe or ping, got {request.op!r}")

    def _answer(self, request: Request, success: bool, text: str = "", more: Json | None = None) -> None:
        self._connection.send_json({**ack(request, self._connection.id, success, text), **(more or {})})


def _check_topics(topics: list[str]) -> None:
    for topic in topics:
        if topic not in _TOPICS:
            raise unknown_topic(topic)
    for topic, categories in _CATEGORIES_OF.items():
        if topic in topics and any(f"{topic}.{category}" in topics for category in categories):
            raise TopicError(f"{topic}: subscribe to all categories or to one, not to both in one request")
