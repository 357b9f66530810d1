"""Finding and making strategies: whatever is wrong with one is said in a line."""

from __future__ import annotations

import pytest

from mlthon.errors import StrategyLoadError
from mlthon.run.strategy_loader import load_strategy_class, make_strategy

MINIMAL = "class Mine:\n    def on_framework_connected(self, env):\n        env.login('mine')\n"


def test_a_class_is_found_in_a_file_and_in_a_module(tmp_path, monkeypatch):
    (tmp_path / "my_strategy.py").write_text(MINIMAL)
    assert load_strategy_class(f"{tmp_path}/my_strategy.py:Mine").__name__ == "Mine"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in_the_working_folder.py").write_text(MINIMAL)
    assert load_strategy_class("in_the_working_folder:Mine").__name__ == "Mine"


@pytest.mark.parametrize(
    ("source", "spec", "text"),
    [
        (MINIMAL, "{dir}/s.py", "expected module:Class or file.py:Class"),
        (MINIMAL, "{dir}/s.py:", "expected module:Class or file.py:Class"),
        (MINIMAL, "{dir}/absent.py:Mine", "no file"),
        (MINIMAL, "{dir}/s.py:Yours", "has no class 'Yours'; it has Mine"),
        ("x = 1\n", "{dir}/s.py:x", "is a int, expected a class"),
        ("x = (\n", "{dir}/s.py:Mine", "SyntaxError"),
        ("import nowhere_to_be_found\n", "{dir}/s.py:Mine", "No module named 'nowhere_to_be_found'"),
        ("1 / 0\n", "{dir}/s.py:Mine", "ZeroDivisionError: division by zero"),
        (MINIMAL, "nowhere.to_be_found:Mine", "cannot import nowhere.to_be_found"),
    ],
)
def test_what_cannot_be_loaded_is_named(tmp_path, source, spec, text):
    (tmp_path / "s.py").write_text(source)
    with pytest.raises(StrategyLoadError) as caught:
        load_strategy_class(spec.format(dir=tmp_path))
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_constructor_takes_cfg_or_nothing():
    class WithCfg:
        def __init__(self, cfg):
            self.cfg = cfg

        def on_start(self, params):
            pass

    class Without:
        def on_start(self, params):
            pass

    assert make_strategy(WithCfg, {"a": 1}).cfg == {"a": 1}
    assert isinstance(make_strategy(Without, {"a": 1}), Without)


def test_a_constructor_that_raises_and_a_class_without_callbacks_are_named():
    class Raises:
        def __init__(self):
            raise KeyError("threshold")

    class Nothing:
        pass

    with pytest.raises(StrategyLoadError, match=r"Raises\(\) raised KeyError: 'threshold'"):
        make_strategy(Raises, {})
    with pytest.raises(StrategyLoadError, match="Nothing defines no callback"):
        make_strategy(Nothing, {})
