"""Wire ids count in base 36 behind the run's epoch."""

from __future__ import annotations

import pytest

from mlthon.engine.wire_ids import WireIds, run_epoch


def test_ids_count_up():
    ids = WireIds("mc9x")
    for number in range(1, 36**3 + 100):
        assert int(ids.next()[4:], 36) == number
    assert ids.next() == "mc9x00102s"


def test_an_epoch_names_the_millisecond_and_four_more():
    now_ns = 1_700_000_000_123_456_789
    epoch = run_epoch(now_ns)
    assert int(epoch[:-4], 36) == now_ns // 1_000_000
    assert len({run_epoch(now_ns) for _ in range(20)}) > 1


@pytest.mark.parametrize("epoch", ["", "a-b", "é1", "x" * 14])
def test_what_is_no_epoch(epoch):
    with pytest.raises(ValueError, match="run epoch: expected"):
        WireIds(epoch)
