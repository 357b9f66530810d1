"""From the bytes of a Bybit frame to a 50-level book and the strategy's callback, beside orjson reading the bytes.

Ours is all that happens between the websocket and the strategy: scanning, the checks of sequence and staleness, the
book, and the callback for a best level that has changed, into an empty Python method. Theirs is ``orjson.loads`` of
the same bytes, its result dropped. A recorded market becomes frames of about 3, 25 or 100 levels. Each run begins
with the snapshot, and has no more frames than stay in the processor's cache, where a message is that has just come.
"""

from __future__ import annotations

import pytest
from bybit_to_callback import frames_to_callback, orjson_alone
from recorded_market import CAPTURES, frames_of

MOST_BYTES = 250_000


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="no recorded market data (set MLTHON_CAPTURES)")
@pytest.mark.parametrize("levels", [3, 25, 100])
@pytest.mark.parametrize("symbol", ["XRPUSDT", "BTCUSDT"])
async def test_a_frame_to_the_callback(compare, symbol, levels):
    frames, size = frames_of(symbol, levels)
    frames = frames[: MOST_BYTES // len(frames[-1])]
    compare(
        f"Bybit frame to callback, {symbol}, {size:.1f} levels",
        ours=await frames_to_callback(symbol, frames),
        theirs=orjson_alone(frames),
        beside="orjson.loads alone",
        at_most=0.65,
    )
