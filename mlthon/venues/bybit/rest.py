"""The REST side: routes, signature checks, rate limits, and the envelope around every answer.

    {"retCode": 0, "retMsg": "OK", "result": {...}, "retExtInfo": {...}, "time": <ms>}

The venue's refusals travel in that envelope with HTTP status 200; so does the answer to what Bybit has and is not
simulated. Only what is not a request of this API at all has a status of its own: 404 for an unknown path, 405 for a
wrong method, 413 for a body that is too large.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from mlthon.venues.bybit.account_messages import Json
from mlthon.venues.bybit.account_queries import AccountQueries
from mlthon.venues.bybit.auth import ApiKey, KeyRing
from mlthon.venues.bybit.errors import ApiError, RetCode
from mlthon.venues.bybit.maintenance import Maintenance
from mlthon.venues.bybit.market_queries import MarketQueries
from mlthon.venues.bybit.not_simulated import NOT_SIMULATED
from mlthon.venues.bybit.order_entry import OrderEntry, Outcome, is_spot
from mlthon.venues.bybit.params import Params, bad_param
from mlthon.venues.bybit.rate_limits import Endpoint, RateLimiter
from mlthon.venues.bybit.wire import to_ms

_MAX_FIELDS = 64

_HttpHandler = Callable[[web.Request], Awaitable[web.Response]]
_Perform = Callable[[ApiKey, Params, int], Outcome]  # with the units that the rate limit granted

_ORDER_PATHS = {
    "/v5/order/create": Endpoint.CREATE,
    "/v5/order/amend": Endpoint.AMEND,
    "/v5/order/cancel": Endpoint.CANCEL,
    "/v5/order/cancel-all": Endpoint.CANCEL_ALL,
    "/v5/order/create-batch": Endpoint.CREATE_BATCH,
    "/v5/order/amend-batch": Endpoint.AMEND_BATCH,
    "/v5/order/cancel-batch": Endpoint.CANCEL_BATCH,
}


class RestApi:
    """Serves the REST paths of an application."""

    def __init__(
        self,
        keys: KeyRing,
        limiter: RateLimiter,
        market: MarketQueries,
        queries: AccountQueries,
        entry: OrderEntry,
        maintenance: Maintenance,
        now_ns: Callable[[], int],
    ) -> None:
        self._keys = keys
        self._limiter = limiter
        self._market = market
        self._queries = queries
        self._entry = entry
        self._maintenance = maintenance
        self._now_ns = now_ns

    def routes(self) -> list[web.RouteDef]:
        """Every path that is served, with its method."""
        market, queries = self._market, self._queries
        public = {
            "/v5/market/time": market.time,
            "/v5/market/instruments-info": market.instruments,
            "/v5/market/orderbook": market.order_book,
            "/v5/market/tickers": market.tickers,
            "/v5/market/recent-trade": market.recent_trades,
            "/v5/market/funding/history": market.funding_history,
            "/v5/market/kline": market.klines,
            "/v5/system/status": self._maintenance.status,
        }
        private = {
            "/v5/order/realtime": (Endpoint.OPEN_ORDERS, queries.open_orders),
            "/v5/order/history": (Endpoint.ORDER_HISTORY, queries.order_history),
            "/v5/execution/list": (Endpoint.EXECUTIONS, queries.executions),
            "/v5/position/list": (Endpoint.POSITIONS, queries.positions),
            "/v5/account/wallet-balance": (Endpoint.WALLET, queries.wallet_balance),
            "/v5/account/info": (Endpoint.ACCOUNT, queries.account_info),
            "/v5/account/fee-rate": (Endpoint.FEE_RATE, queries.fee_rate),
            "/v5/asset/coin/query-info": (Endpoint.COINS, queries.coin_info),
            "/v5/user/query-api": (Endpoint.API_KEY, queries.key_info),
        }
        settings = {
            "/v5/position/set-leverage": (Endpoint.LEVERAGE, queries.set_leverage),
            "/v5/position/switch-mode": (Endpoint.POSITION_MODE, queries.switch_mode),
        }
        return [
            *(web.route("*", path, self._not_simulated) for path in sorted(NOT_SIMULATED)),
            *(web.get(path, self._public(ask)) for path, ask in public.items()),
            *(
                web.get(path, self._private(endpoint, _once(ask)))
                for path, (endpoint, ask) in private.items()
            ),
            *(
                web.post(path, self._private(endpoint, _once(ask)))
                for path, (endpoint, ask) in settings.items()
            ),
            *(
                web.post(path, self._private(endpoint, self._enter(endpoint)))
                for path, endpoint in _ORDER_PATHS.items()
            ),
        ]

    async def _not_simulated(self, request: web.Request) -> web.Response:
        return self._refusal(ApiError(RetCode.BAD_REQUEST, f"{request.path} is not simulated"))

    def _public(self, ask: Callable[[Params], Json]) -> _HttpHandler:
        async def serve(request: web.Request) -> web.Response:
            try:
                return self._answer(Outcome(ask(_query(request))))
            except ApiError as refused:
                return self._refusal(refused)

        return serve

    def _private(self, endpoint: Endpoint, perform: _Perform) -> _HttpHandler:
        async def serve(request: web.Request) -> web.Response:
            headers: dict[str, str] = {}
            try:
                key, params = await self._signed(request)
                self._maintenance.check(RetCode.SERVER_ERROR)
                weight = self._entry.weight(endpoint, params)
                quota = self._limiter.take(key.account.name, endpoint, weight, is_spot=is_spot(params))
                headers = quota.headers()
                return self._answer(perform(key, params, quota.granted), headers)
            except ApiError as refused:
                return self._refusal(refused, headers)

        return serve

    def _enter(self, endpoint: Endpoint) -> _Perform:
        def perform(key: ApiKey, params: Params, granted: int) -> Outcome:
            return self._entry.perform(endpoint, key.account, params, granted)

        return perform

    async def _signed(self, request: web.Request) -> tuple[ApiKey, Params]:
        """Check who sent a private request, over the exact bytes; then, and only then, read its parameters."""
        if request.method == "GET":
            payload = request.raw_path.partition("?")[2].encode("utf-8", "surrogateescape")
        else:
            payload = await request.read()
        key = self._keys.check_request(request.headers, payload, to_ms(self._now_ns()))
        return key, _query(request) if request.method == "GET" else _body(payload)

    def _answer(self, outcome: Outcome, headers: dict[str, str] | None = None) -> web.Response:
        return self._envelope(RetCode.OK, "OK", outcome, headers)

    def _refusal(self, refused: ApiError, headers: dict[str, str] | None = None) -> web.Response:
        return self._envelope(refused.code, refused.text, Outcome({}), headers)

    def _envelope(
        self, code: int, text: str, outcome: Outcome, headers: dict[str, str] | None
    ) -> web.Response:
        body = {
            "retCode": int(code),
            "retMsg": text,
            "result": outcome.result,
            "retExtInfo": outcome.ext_info,
            "time": to_ms(self._now_ns()),
        }
        return web.Response(body=orjson.dumps(body), content_type="application/json", headers=headers)


def _once(ask: Callable[[ApiKey, Params], Json]) -> _Perform:
    """A request that takes one unit of its rate limit."""

    def perform(key: ApiKey, params: Params, granted: int) -> Outcome:
        if not granted:
            raise ApiError(RetCode.RATE_LIMITED, "too many requests in this second")
        return Outcome(ask(key, params))

    return perform


def _query(request: web.Request) -> Params:
    try:
        return Params(dict(parse_qsl(request.raw_path.partition("?")[2], max_num_fields=_MAX_FIELDS)))
    except ValueError as wrong:
        raise bad_param(f"query string: at most {_MAX_FIELDS} parameters") from wrong


def _body(payload: bytes) -> Params:
    try:
        values = orjson.loads(payload)
    except orjson.JSONDecodeError as wrong:
        raise bad_param(f"body: expected JSON: {wrong}") from wrong
    if not isinstance(values, dict):
        raise bad_param(f"body: expected a JSON object, got {type(values).__name__}")
    return Params(values)
