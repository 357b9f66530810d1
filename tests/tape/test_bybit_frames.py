"""What recorded frames of Bybit become on a tape, and where their book is not to be trusted."""

from __future__ import annotations

from pathlib import Path

import pytest
from frames_at_hand import INSTRUMENT, START_NS, book, control, frames, part_of, recording, ticker, trade

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.order_change import RateUpdate
from mlthon.basics.defs import Side
from mlthon.errors import TapeError
from mlthon.tape.bybit_frames import BybitFrames
from mlthon.tape.opening import open_tape
from mlthon.tape.raw_frames import RawRecord
from mlthon.tape.recording import TapeEvent
from mlthon.tape.recordings import recording_at
from mlthon.tape.verify import verify

SNAPSHOT = book("snapshot", 7, [["100", "1"]], [["101", "2"]])
DELTA = book("delta", 8, [["100", "3"]], [], ms=1)
NO_BOOK = ([], [])


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def levels(event: TapeEvent) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    assert isinstance(event, DepthUpdate)
    bids, asks = (
        [(f"{price:.0f}", f"{qty:.0f}") for price, qty in side] for side in (event.bids(), event.asks())
    )
    return bids, asks


def test_books_trades_and_rates_keep_both_stamps(tmp_path: Path) -> None:
    rates = {
        "fundingRate": "0.0001",
        "nextFundingTime": "1700006400000",
        "markPrice": "100.5",
        "indexPrice": "",
    }
    source = BybitFrames(
        recording(tmp_path / "a", frames(SNAPSHOT, DELTA, trade("101", 2), ticker("snapshot", 3, **rates)))
    )
    snapshot, delta, traded, funding, mark = source.events()
    assert isinstance(snapshot, DepthUpdate)
    assert isinstance(delta, DepthUpdate)
    assert (snapshot.is_snapshot, delta.is_snapshot) == (True, False)
    assert (delta.recv_ns, delta.venue_ns, delta.seq) == (START_NS + 1_000_000, START_NS, 80)
    assert traded == PublicTrade(
        Side.Buy,
        "101",
        "0.001",
        venue_ns=START_NS + 2_000_000,
        recv_ns=START_NS + 2_000_000,
        trade_id="id-2",
    )
    stamps = {"venue_ns": START_NS + 3_000_000, "recv_ns": START_NS + 3_000_000}
    assert funding == RateUpdate("funding", "0.0001", due_ns=1_700_006_400_000_000_000, **stamps)
    assert mark == RateUpdate("mark", "100.5", **stamps)
    assert source.instrument == INSTRUMENT
    assert source.notes() == {"parts_cut_off": 0}


def test_a_ticker_tells_what_has_changed_only(tmp_path: Path) -> None:
    first = ticker("snapshot", 0, fundingRate="0.0001", nextFundingTime="0", markPrice="100")
    told = [
        first,
        ticker("delta", 1, lastPrice="99"),
        ticker("delta", 2, markPrice="100"),
        ticker("delta", 3, nextFundingTime="1700006400000"),
        ticker("delta", 4, markPrice="101"),
    ]
    events = list(BybitFrames(recording(tmp_path / "a", frames(*told))).events())
    assert [
        (event.kind, str(event.value.to_decimal().normalize()), event.due_ns > 0) for event in events
    ] == [
        ("funding", "0.0001", False),
        ("mark", "1E+2", False),
        ("funding", "0.0001", True),
        ("mark", "101", False),
    ]


LOST = START_NS + 1_500_000


@pytest.mark.parametrize(
    ("happened", "note"),
    [
        (control(LOST, event="disconnected", connection="c", reason="cut"), {"connections_lost": 1}),
        (control(LOST, event="book_lost", reason="gap"), {"books_lost": 1}),
        (control(LOST, event="dropped", frames=12), {"frames_dropped": 12}),
        (RawRecord(LOST, 0, b"F", book("delta", 10, [["100", "4"]], [])), {"gaps": 1}),
        (RawRecord(LOST, 0, b"F", b'{"topic":"orderbook.50.BTCUSDT","da'), {"frames_not_understood": 1}),
        (RawRecord(LOST, 0, b"F", book("delta", 9, [["nan", "4"]], [])), {"frames_not_understood": 1}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_lost_book_is_shown_empty_until_its_snapshot(
    tmp_path: Path, happened: RawRecord, note: dict[str, int]
) -> None:
    later = [
        RawRecord(LOST + 1, 0, b"F", book("delta", 11, [["99", "9"]], [])),
        RawRecord(LOST + 2, 0, b"F", book("snapshot", 12, [["98", "5"]], [["99", "6"]])),
    ]
    folder = recording(tmp_path / "a", [*frames(SNAPSHOT, DELTA), happened, *later])
    source = BybitFrames(folder)
    *_, lost, found = events = list(source.events())
    assert len(events) == 4
    assert (levels(lost), lost.recv_ns, lost.is_snapshot) == (NO_BOOK, LOST, True)
    assert levels(found) == ([("98", "5")], [("99", "6")])
    assert source.notes() == {"parts_cut_off": 0, "depth_before_snapshot": 1, **note}
    report = verify(open_tape(folder))  # and through the tape
    assert report.is_sound, report.problems
    assert report.import_notes == {"depth_before_snapshot": 1, **note}


def test_parts_continue_each_other_and_sessions_do_not(tmp_path: Path) -> None:
    folder = recording(tmp_path / "a", frames(SNAPSHOT), frames(DELTA))
    source = BybitFrames(folder)
    assert [event.is_snapshot for event in source.events()] == [True, False]
    assert source.notes() == {"parts_cut_off": 0}

    (folder / "000003.frames.gz").write_bytes(part_of(frames(DELTA), session_ns=START_NS + 1))
    (folder / "000004.frames.gz").write_bytes(part_of(frames(SNAPSHOT), session_ns=START_NS + 1, part=3))
    snapshot, _, lost, again = source.events()
    assert levels(lost) == NO_BOOK
    assert levels(again) == levels(snapshot)
    assert source.notes() == {
        "parts_cut_off": 0,
        "sessions_before": 1,
        "depth_before_snapshot": 1,
        "parts_missing": 1,
    }


def test_a_killed_recorders_last_frames_are_kept(tmp_path: Path) -> None:
    folder = recording(tmp_path / "a", frames(SNAPSHOT, DELTA))
    part = folder / "000001.frames.gz"
    part.write_bytes(part.read_bytes()[:-4])  # of the last member's trailer
    source = BybitFrames(folder)
    assert len(list(source.events())) == 2
    assert source.notes() == {"parts_cut_off": 1}


def test_a_part_alone_says_that_it_is_one_of_several(tmp_path: Path) -> None:
    folder = recording(tmp_path / "a", frames(SNAPSHOT), frames(DELTA))
    assert isinstance(recording_at(folder / "000002.frames.gz"), BybitFrames)
    with pytest.raises(TapeError, match="this is not its first part: name the folder"):
        open_tape(folder / "000002.frames.gz")
    assert open_tape(folder / "000001.frames.gz").counts.depth_messages == 1


def test_parts_of_another_market_are_refused(tmp_path: Path) -> None:
    folder = recording(tmp_path / "a", frames(SNAPSHOT))
    (folder / "000002.frames.gz").write_bytes(part_of(frames(SNAPSHOT), protocol="other"))
    with pytest.raises(
        TapeError, match="expected bybit-v5-public frames of byt:perp:BTC-USDT, got other frames"
    ):
        list(BybitFrames(folder).events())


def test_a_folder_is_converted_anew_when_it_has_grown(tmp_path: Path) -> None:
    folder = recording(tmp_path / "a", frames(SNAPSHOT))
    assert open_tape(folder).counts.rows == 2
    (folder / "000002.frames.gz").write_bytes(part_of(frames(DELTA), part=2))
    assert open_tape(folder).counts.rows == 3
