"""What may be said on the command line, and the one line that answers what may not."""

from __future__ import annotations

import pytest

from mlthon.errors import ConfigError
from mlthon.run.cli import main
from mlthon.run.option_values import parse_params


@pytest.mark.parametrize("value", ["[", "[" * 5_000, "2024-13-45", "{a: 1}"])
def test_a_param_that_is_no_scalar_is_refused_in_one_line(value: str) -> None:
    with pytest.raises(ConfigError, match=r"\A--param size.*: expected a YAML scalar, got .{,120}\Z"):
        parse_params([f"size={value}"])


def test_an_error_quotes_what_came_letter_by_letter(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demo", "--param", "root:x:[bold]0"])
    assert capsys.readouterr().err == "error: --param: expected key=value, got 'root:x:[bold]0'\n"
