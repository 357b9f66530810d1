"""``data``: recordings become tapes, and what is wrong with them shows, with exit codes and JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlthon.run.cli import main

pq = pytest.importorskip("pyarrow.parquet", reason="tapes need the data extra")

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def _cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def frame(kind: str, update_id: int, bid: str = "99.5") -> str:
    data = {"s": "BTCUSDT", "b": [[bid, "1"]], "a": [["100.5", "2"]], "u": update_id, "seq": update_id}
    topic = "orderbook.500.BTCUSDT"
    stamp = 1_700_000_000_000 + update_id
    return json.dumps({"topic": topic, "type": kind, "ts": stamp, "data": data, "cts": stamp - 3}) + "\n"


def book(path: Path, *frames: str) -> Path:
    path.write_text("".join(frames))
    return path


def ended(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    """Run a command in this process; its exit code and what it printed."""
    with pytest.raises(SystemExit) as exited:
        main(["data", *map(str, arguments)])
    return exited.value.code, *capsys.readouterr()


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """What a command that goes well says to programs."""
    code, out, err = ended(capsys, *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def test_from_import_to_parquet(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source = book(tmp_path / "book.jsonl", frame("snapshot", 1), *(frame("delta", n) for n in range(2, 30)))
    out = tmp_path / "out"
    imported = told(capsys, "import", source, "-o", out)["tapes"]
    assert [tape["tape"] for tape in imported] == [str(out / "book.tape")]
    assert (imported[0]["depth_messages"], imported[0]["levels"]) == (29, 58)
    merged = told(capsys, "import", source, source, "--merge", "both", "-o", out)["tapes"]
    assert (merged[0]["tape"], merged[0]["levels"]) == (str(out / "both.tape"), 116)
    (out / "both.tape").unlink()
    verified = told(capsys, "verify", out / "book.tape", source)["files"]
    assert [(file["is_sound"], file["events"]) for file in verified] == [(True, 29), (True, 29)]
    listed = told(capsys, "ls", out)["tapes"]
    assert [(tape["instrument"], tape["rows"]) for tape in listed] == [("byt:perp:BTC-USDT", 58)]
    exported = told(capsys, "export", out / "book.tape", "-o", out)["files"]
    assert exported[0]["rows"] == 58
    table = pq.read_table(exported[0]["parquet"])
    assert (table.num_rows, table.schema.metadata[b"format"]) == (58, b"mlthon-tape")
    assert table["price"].to_pylist()[:2] == [995, 1005]
    assert told(capsys, "clear")["freed_bytes"] > 0  # what verifying the source had left
    assert told(capsys, "clear")["freed_bytes"] == 0
    assert sorted(path.name for path in out.iterdir()) == ["book.parquet", "book.tape"]


def test_what_is_not_sound_ends_with_two(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    crossed = book(tmp_path / "crossed.jsonl", frame("snapshot", 1), frame("delta", 2, bid="101"))
    cut = book(tmp_path / "cut.jsonl", frame("snapshot", 1), frame("delta", 2)[:50])
    code, out, err = ended(capsys, "verify", crossed, cut)
    assert code == 2
    assert "crossed.jsonl: NOT SOUND, 2 events, 4 levels\n  crossed book: 1\n    event 1, received" in out
    assert "cut.jsonl: damaged: " in out
    assert "the file is cut off here" in out
    assert err.splitlines() == [f"error: 2 of 2 recordings are not sound: {crossed}, {cut}"]


def test_what_cannot_be_done_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source = book(tmp_path / "book.jsonl", frame("snapshot", 1), frame("delta", 2))
    (tmp_path / "other").mkdir()
    twin = book(tmp_path / "other" / "book.jsonl", frame("snapshot", 1))
    for arguments, text in (
        (("import", source, twin, "-o", tmp_path), "several sources would be written there"),
        (("export", source, twin, "-o", tmp_path), "several sources would be written there"),
        (("import", tmp_path / "absent", "-o", tmp_path), "cannot be opened"),
        (("import", source, "-o", source / "below"), "cannot be"),
        (("export", __file__, "-o", tmp_path), "expected '<receive time, ns> <JSON object>'"),
    ):
        code, out, err = ended(capsys, *arguments)
        assert (code, out) == (2, ""), err
        assert err.startswith("error: ")
        assert text in err
        assert len(err.splitlines()) == 1
    assert not list(tmp_path.glob("*.tape"))


def test_what_cannot_be_listed_ends_with_two(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    absent, junk, empty = tmp_path / "absent", tmp_path / "junk", tmp_path / "empty"
    junk.write_text("nothing\n")
    empty.mkdir()
    assert ended(capsys, "ls", absent) == (
        2,
        "",
        f"error: {absent}: cannot be opened: No such file or directory\n",
    )
    code, out, err = ended(capsys, "ls", absent, junk)
    assert (code, out) == (2, "")
    assert err.startswith("error: 2 of 2 cannot be read: ")
    source = book(tmp_path / "book.jsonl", frame("snapshot", 1), frame("delta", 2))
    code, out, err = ended(capsys, "ls", source, junk, "--json")
    assert [set(entry) >= {"error"} for entry in json.loads(out)["tapes"]] == [False, True]
    assert (code, len([line for line in err.splitlines() if line.startswith("error: ")])) == (2, 1)
    assert ended(capsys, "ls", empty) == (0, "no tapes\n", "")


@pytest.mark.parametrize("command", ["import", "export"])
def test_a_folder_in_the_place_of_a_tape_is_not_replaced(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    source = book(tmp_path / "book.jsonl", frame("snapshot", 1), frame("delta", 2))
    (tmp_path / "book.tape").mkdir()
    (tmp_path / "book.parquet").mkdir()
    code, out, err = ended(capsys, command, source, "-o", tmp_path)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "cannot be written" in err
    assert not list(tmp_path.glob(".*.part"))


def test_a_tape_is_played_by_the_simulated_venue(mlthon_run: Run, captures: Path, tmp_path: Path) -> None:
    source = captures / "bybit/2024-12-01_XRPUSDT_ob500.jsonl"
    tape = mlthon_run("data", "import", source, "-o", tmp_path, "--json").summary["tapes"][0]["tape"]
    summary = mlthon_run("demo", "--tape", tape, "--duration", "2", "--json").summary
    assert summary["instrument"] == "byt:perp:XRP-USDT"
