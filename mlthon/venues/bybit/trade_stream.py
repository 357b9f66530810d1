"""The trade websocket: login once, then create, amend and cancel, single and in batches.

    {"reqId": "...", "header": {"X-BAPI-TIMESTAMP": "<ms>"}, "op": "order.create", "args": [{...as in REST...}]}

Requests are answered one by one, in the order in which they came, each with its rate limit's state. They draw from
the same buckets as REST.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mlthon.venues.bybit.auth import ApiKey, KeyRing, check_timestamp
from mlthon.venues.bybit.connection import Connection
from mlthon.venues.bybit.errors import ApiError, RetCode
from mlthon.venues.bybit.maintenance import Maintenance
from mlthon.venues.bybit.order_entry import OrderEntry, Outcome, is_spot
from mlthon.venues.bybit.order_messages import Json
from mlthon.venues.bybit.params import Params, bad_param, shorten
from mlthon.venues.bybit.rate_limits import Endpoint, RateLimiter
from mlthon.venues.bybit.wire import to_ms

_ENDPOINTS = {
    endpoint.value: endpoint
    for endpoint in (
        Endpoint.CREATE,
        Endpoint.AMEND,
        Endpoint.CANCEL,
        Endpoint.CREATE_BATCH,
        Endpoint.AMEND_BATCH,
        Endpoint.CANCEL_BATCH,
    )
}
_LONGEST_REQ_ID = 36
_REMEMBERED_REQ_IDS = 10_000


class TradeSession:
    """One client on the trade stream."""

    def __init__(
        self,
        connection: Connection,
        keys: KeyRing,
        limiter: RateLimiter,
        entry: OrderEntry,
        maintenance: Maintenance,
        now_ns: Callable[[], int],
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._limiter = limiter
        self._entry = entry
        self._maintenance = maintenance
        self._now_ns = now_ns
        self._key: ApiKey | None = None
        self._req_ids: dict[str, None] = {}  # the latest ones, oldest first

    def on_message(self, message: Mapping[str, object]) -> None:
        op = message.get("op")
        if op == "auth":
            self._login(message)
        elif op == "ping":
            self._answer(message, RetCode.OK, "OK", op="pong", data=[str(to_ms(self._now_ns()))])
        else:
            self._order(message)

    def on_malformed(self, reason: str) -> None:
        self._answer({}, RetCode.BAD_REQUEST, reason)

    def on_closed(self) -> None:
        """Orders stay: only the login ends with the connection."""
        self._key = None

    def _login(self, message: Mapping[str, object]) -> None:
        try:
            if self._key is not None:
                raise ApiError(RetCode.ALREADY_LOGGED_IN, "this connection is logged in already")
            self._key = self._keys.check_login(
                message.get("args"), to_ms(self._now_ns()), self._connection.address
            )
        except ApiError as refused:
            self._answer(message, refused.code, refused.text)
        else:
            self._answer(message, RetCode.OK, "OK")

    def _order(self, message: Mapping[str, object]) -> None:
        header: dict[str, str] = {}
        try:
            endpoint, key, params = self._check(message)
            weight = self._entry.weight(endpoint, params)
            quota = self._limiter.take(key.account.name, endpoint, weight, is_spot=is_spot(params))
            header = quota.headers()
            outcome = self._entry.perform(endpoint, key.account, params, quota.granted)
        except ApiError as refused:
            self._answer_order(message, refused.code, refused.text, Outcome({}), header)
        else:
            self._answer_order(message, RetCode.OK, "OK", outcome, header)

    def _check(self, message: Mapping[str, object]) -> tuple[Endpoint, ApiKey, Params]:
        op, args, header = message.get("op"), message.get("args"), message.get("header")
        endpoint = _ENDPOINTS.get(op) if isinstance(op, str) else None
        if endpoint is None:
            raise ApiError(
                RetCode.UNKNOWN_OP, f"op: expected one of {', '.join(_ENDPOINTS)}, got {shorten(op)}"
            )
        if self._key is None:
            raise ApiError(RetCode.NOT_LOGGED_IN, "log in with op auth first")
        self._maintenance.check(RetCode.RESTARTING)
        if not isinstance(header, dict) or "X-BAPI-TIMESTAMP" not in header:
            raise bad_param("header: X-BAPI-TIMESTAMP is required")
        check_timestamp(header["X-BAPI-TIMESTAMP"], header.get("X-BAPI-RECV-WINDOW"), to_ms(self._now_ns()))
        if not isinstance(args, list) or len(args) != 1 or not isinstance(args[0], dict):
            raise bad_param(f"args: expected a list of one object, got {shorten(args)}")
        self._remember(message.get("reqId"))
        return endpoint, self._key, Params(args[0])

    def _remember(self, req_id: object) -> None:
        """Refuse a ``reqId`` that was used before on this connection (of the latest ones); it may be left out."""
        if req_id in (None, ""):
            return
        if not isinstance(req_id, str) or len(req_id) > _LONGEST_REQ_ID:
            raise bad_param(f"reqId: expected up to {_LONGEST_REQ_ID} characters, got {shorten(req_id)}")
        if req_id in self._req_ids:
            raise ApiError(RetCode.DUPLICATE_REQUEST, f"reqId: {req_id} was used before")
        self._req_ids[req_id] = None
        if len(self._req_ids) > _REMEMBERED_REQ_IDS:
            del self._req_ids[next(iter(self._req_ids))]

    def _answer_order(
        self, message: Mapping[str, object], code: int, text: str, outcome: Outcome, header: Mapping[str, str]
    ) -> None:
        self._answer(
            message,
            code,
            text,
            data=outcome.result,
            retExtInfo=outcome.ext_info,
            header={**header, "Timenow": str(to_ms(self._now_ns()))},
        )

    def _answer(self, message: Mapping[str, object], code: int, text: str, **more: object) -> None:
        req_id, op = message.get("reqId"), message.get("op")
        answer: Json = {
            "retCode": int(code),
            "retMsg": text,
            "op": op if isinstance(op, str) and len(op) <= _LONGEST_REQ_ID else "",
            "connId": self._connection.id,
        }
        if isinstance(req_id, (str, int)):
            answer["reqId"] = req_id if isinstance(req_id, int) else req_id[:_LONGEST_REQ_ID]
        self._connection.send_json({**answer, **more})
