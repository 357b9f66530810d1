"""The format of raw frames: what is written is read again, also of files that end anywhere, or are damaged."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from frames_at_hand import frames, part_of, trade
from hypothesis import given, settings
from hypothesis import strategies as st

from mlthon.errors import TapeError
from mlthon.tape.raw_frames import CONTROL, FRAME, FRAMES_MAGIC, FramesReader, RawRecord, parts_of

RECORDS = st.lists(
    st.builds(
        RawRecord,
        recv_ns=st.integers(0, 2**63 - 1),
        connection=st.integers(0, 500),
        kind=st.sampled_from([FRAME, CONTROL]),
        data=st.binary(max_size=300) | st.sampled_from([b"\n", b"\n\n1 0 F 3\nabc\n", b'{"op":"pong"}']),
    ),
    max_size=20,
)


def read(path: Path) -> tuple[list[RawRecord], bool]:
    """All records after the header, and whether the file was cut off."""
    part = FramesReader(path)
    return list(part), part.is_cut_off


@settings(max_examples=100)
@given(records=RECORDS, member_records=st.integers(1, 7))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, records: list[RawRecord], member_records: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "part.frames.gz"
    path.write_bytes(part_of(records, member_records=member_records))
    assert read(path) == (records, False)


def test_a_file_that_ends_anywhere_gives_what_is_whole(tmp_path: Path) -> None:
    """Cut at each byte: no record is invented, none of a whole member is lost."""
    records = frames(*(trade(f"{60_000 + number}.5", number) for number in range(12)))
    whole = part_of(records)
    member_ends = [len(part_of(records[:count])) for count in (0, 3, 6, 9, 12)]
    path = tmp_path / "part.frames.gz"
    for size in range(member_ends[0], len(whole) + 1):
        path.write_bytes(whole[:size])
        got, is_cut_off = read(path)
        whole_members = sum(end <= size for end in member_ends) - 1
        assert got == records[: len(got)], f"cut at {size}"
        assert len(got) >= 3 * whole_members, f"cut at {size}"
        assert is_cut_off == (size not in member_ends), f"cut at {size}"


def test_a_file_without_its_header_is_no_part(tmp_path: Path) -> None:
    whole = part_of([])
    path = tmp_path / "part.frames.gz"
    for size in range(len(whole) - 12):  # of a gzip member the last bytes are its end and a checksum
        path.write_bytes(whole[:size])
        with pytest.raises(TapeError, match=r"part\.frames\.gz: byte \d+ unpacked: expected"):
            read(path)


def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path) -> None:
    seed = 4
    rng = random.Random(seed)
    records = frames(*(trade(f"{60_000 + number}.5", number) for number in range(12)))
    whole = part_of(records)
    path = tmp_path / "part.frames.gz"
    refused = 0
    for number in range(300):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            got = list(FramesReader(path))
        except TapeError as error:
            assert str(path) in str(error), f"seed {seed}, case {number}"
            assert "\n" not in str(error), f"seed {seed}, case {number}"
            refused += 1
        else:  # a bit that means nothing, in a member's header, or one that makes the last member look unfinished
            assert got == records[: len(got)], f"seed {seed}, case {number}"
    assert refused > 200


@pytest.mark.parametrize(
    ("unpacked", "words"),
    [
        (b"<html>", "expected b'mlthon-frames 1"),
        (FRAMES_MAGIC + b"1 0 F 2\n{}\n", "expected what the part is, got none"),
        (FRAMES_MAGIC + b"1 0 H 2\n{}\n", "expected a header"),
        (FRAMES_MAGIC + b"1 0 H 99999999999\n{}\n", "expected a record's line"),
        (FRAMES_MAGIC + b"1 0 H -1\n{}\n", "expected a record's line"),
        (FRAMES_MAGIC + b"x" * 100, "expected a record's line"),
        (FRAMES_MAGIC + b"1 0 X 2\n{}\n", "expected a record, got b'1 0 X 2'"),
        (FRAMES_MAGIC + b"1 0 H 1\n{}\n", "expected a record, got b'1 0 H 1'"),
    ],
)
def test_what_is_no_part_is_refused(tmp_path: Path, unpacked: bytes, words: str) -> None:
    path = tmp_path / "part.frames.gz"
    path.write_bytes(gzip.compress(unpacked))
    with pytest.raises(TapeError) as error:
        FramesReader(path)
    assert words in str(error.value)


def test_parts_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.frames.gz", "a.frames.gz", ".c.frames.gz.12345678.part", "other.gz"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in parts_of(tmp_path)] == ["a.frames.gz", "b.frames.gz"]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(
        TapeError, match=r"expected a recording \(a folder with \.frames\.gz files\), got none"
    ):
        parts_of(empty)


def documented_reader() -> Callable[[Path], Iterator[tuple[int, int, str, bytes]]]:
    """The reader that the documentation shows."""
    page = Path(__file__).resolve().parents[2] / "docs" / "tape.md"
    [code] = [
        block.partition("```")[0]
        for block in page.read_text().split("```python\n")[1:]
        if "def read_frames" in block
    ]
    scope: dict[str, Any] = {}
    exec(code.partition("\n\n\nfor ")[0], scope)
    return scope["read_frames"]


def test_the_documented_reader_reads_it_too(tmp_path: Path) -> None:
    """Also of a file that ends anywhere: whatever lies in whole members."""
    records = frames(*(trade(f"{60_000 + number}.5", number) for number in range(12)))
    whole = part_of(records)
    member_ends = [len(part_of(records[:count])) for count in (0, 3, 6, 9, 12)]
    path = tmp_path / "part.frames.gz"
    read_frames = documented_reader()
    for size in range(member_ends[0], len(whole) + 1):
        path.write_bytes(whole[:size])
        header, *got = read_frames(path)
        assert header[2] == "H"
        expected = [(*record[:2], record.kind.decode(), record.data) for record in records[: len(got)]]
        assert got == expected, f"cut at {size}"
        assert len(got) >= 3 * (sum(end <= size for end in member_ends) - 1), f"cut at {size}"
