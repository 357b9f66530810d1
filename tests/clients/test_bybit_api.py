"""bybit-api, a public client library for Node.js, pointed at the venue.

The client's part is `bybit_api/scenario.mjs`, a process of its own; this side moves the market when it is asked to,
and judges what the client says it saw. To run it: Node.js 20, and ``npm ci --prefix tests/clients/bybit_api``.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from bybit_client import KEY, SECRET, Json, Stage

from mlthon.basics.defs import Side
from mlthon.venues.bybit import Endpoints

SCENARIO = Path(__file__).with_name("bybit_api") / "scenario.mjs"
NODE = shutil.which("node")
DEADLINE_S = 60.0

pytestmark = pytest.mark.skipif(
    NODE is None or not (SCENARIO.parent / "node_modules" / "bybit-api").is_dir(),
    reason="bybit-api is not installed: npm ci --prefix tests/clients/bybit_api",
)

# category: symbol here, symbol of the simulated exchange, best bid, price far below it, quantity
MARKETS = {
    "linear": ("BTCUSDT", "BTCUSDT", "60000.0", "59000", "0.5"),
    "inverse": ("BTCUSD", "BTCUSD", "60000.00", "59000", "300"),
    "spot": ("BTCUSDT", "BTC/USDT", "59990.00", "59000", "0.25"),
}


@pytest.fixture
async def stage() -> Stage:
    return Stage.of_all_products()


@pytest.fixture
async def endpoints(stage: Stage) -> AsyncIterator[Endpoints]:
    yield await stage.venue.start()
    await stage.venue.close()


async def play(stage: Stage, endpoints: Endpoints, category: str) -> Json:
    """Run the scenario in a category; returns what each step came to."""
    symbol, listed, best_bid, far_price, qty = MARKETS[category]
    arguments = {
        "rest": endpoints.rest,
        "wsPublic": f"{endpoints.ws_public}/{category}",
        "wsPrivate": endpoints.ws_private,
        "wsTrade": endpoints.ws_trade,
        "key": KEY,
        "secret": SECRET,
        "category": category,
        "symbol": symbol,
        "qty": qty,
        "farPrice": far_price,
        "bestBid": best_bid,
    }
    process = await asyncio.create_subprocess_exec(
        str(NODE),
        str(SCENARIO),
        orjson.dumps(arguments).decode(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1_000_000,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    steps: Json = {}
    try:
        async with asyncio.timeout(DEADLINE_S):
            async for line in process.stdout:
                step = orjson.loads(line)
                steps[step["step"]] = step["result"]
                if step["step"] == "move the market":
                    stage.depth([(best_bid, "9")], [], symbol=listed)
                    stage.trade(Side.Sell, best_bid, "1", symbol=listed)
                elif step["step"] == "fill it":
                    stage.depth([(best_bid, "0")], [], symbol=listed)  # nothing is ahead of the order then
                    stage.trade(Side.Sell, best_bid, qty, symbol=listed)
            errors = (await process.stderr.read()).decode()
            assert await process.wait() == 0, f"after {list(steps)[-1:]}: {errors}"
    except TimeoutError:
        pytest.fail(
            f"the client still waits {DEADLINE_S:.0f} s after it began; its last step: {list(steps)[-1:]}"
        )
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return steps


@pytest.mark.parametrize("category", MARKETS)
async def test_a_day(stage: Stage, endpoints: Endpoints, category: str) -> None:
    steps = await play(stage, endpoints, category)
    symbol, _, best_bid, far_price, qty = MARKETS[category]
    check_market_data(steps, symbol, best_bid)
    for prefix, link in (("", "by-rest"), ("ws ", "by-socket")):
        assert steps[f"{prefix}placed"]["retCode"] == 0
        placed, amended, cancelled = (
            steps[f"{prefix}order {step}"] for step in ("placed", "amended", "cancelled")
        )
        assert {row["orderLinkId"] for row in (placed, amended, cancelled)} == {link}
        assert [row["orderStatus"] for row in (placed, amended, cancelled)] == ["New", "New", "Cancelled"]
        assert (float(placed["price"]), float(amended["price"])) == (float(far_price), float(far_price) - 1)
    (listed,) = steps["open orders"]["result"]["list"]
    assert (listed["orderLinkId"], float(listed["qty"])) == ("by-rest", float(qty))
    assert len(steps["all cancelled"]["result"]["list"]) == 2
    check_fill(steps, category, best_bid, qty)
    check_refusals(steps, category)


def check_market_data(steps: Json, symbol: str, best_bid: str) -> None:
    assert symbol in [row["symbol"] for row in steps["markets"]["result"]["list"]]
    assert steps["book"]["result"]["b"][0][0] == best_bid
    assert steps["book snapshot"]["b"][0][0] == best_bid
    (change,) = steps["book delta"]["b"]
    assert (change[0], float(change[1])) == (best_bid, 9.0)
    assert (steps["trade"]["S"], steps["trade"]["p"]) == ("Sell", best_bid)
    (recent,) = steps["recent trades"]["result"]["list"]
    assert recent["execId"] == steps["trade"]["i"]
    assert steps["ticker"]["result"]["list"][0]["bid1Price"] == best_bid


def check_fill(steps: Json, category: str, best_bid: str, qty: str) -> None:
    fill = steps["fill"]
    assert (fill["orderLinkId"], fill["isMaker"], fill["execPrice"]) == ("maker", True, best_bid)
    assert float(fill["execQty"]) == float(qty)
    assert [row["execId"] for row in steps["fills"]["result"]["list"]] == [fill["execId"]]
    changed = {row["coin"]: row["walletBalance"] for row in steps["wallet change"]["coin"]}
    assert sorted(changed) == {"linear": ["USDT"], "inverse": ["BTC"], "spot": ["BTC", "USDT"]}[category]
    (account,) = steps["wallet"]["result"]["list"]
    assert changed.items() <= {row["coin"]: row["walletBalance"] for row in account["coin"]}.items()
    if category != "spot":
        (position,) = steps["positions"]["result"]["list"]
        assert (position["side"], float(position["size"])) == ("Buy", float(qty))
        assert steps["position change"]["entryPrice"] == position["avgPrice"]


def check_refusals(steps: Json, category: str) -> None:
    unknown_order = 170213 if category == "spot" else 110001
    assert steps["unknown order"]["retCode"] == unknown_order
    assert steps["ws refused"]["retCode"] == unknown_order
    assert steps["unknown symbol"]["retCode"] in (10001, 170121)
    assert steps["wrong secret"]["retCode"] == 10004
