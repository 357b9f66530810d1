"""The documents say what is so: their commands and code run, their links lead somewhere, their names exist."""

from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import pytest
import typer.main
from test_layers import LAYERS

import mlthon
from mlthon.run import cli

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(mlthon.__file__).parent
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGES.md")]
DOCUMENTS += sorted((ROOT / "docs").glob("*.md"))
TIMEOUT_S = 60  # of one command; the longest takes a tenth of it
ACTIVATE = "source .venv/bin/activate"  # the tests have an environment of their own


class Block(NamedTuple):
    """A fenced block of a document."""

    document: Path
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"


class Command(NamedTuple):
    """A command of a console block."""

    where: str
    text: str


def read_blocks(document: Path) -> Iterator[Block]:
    text = document.read_text()
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield Block(document, text.count("\n", 0, match.start()) + 1, match[1], match[2])


BLOCKS = [block for document in DOCUMENTS for block in read_blocks(document)]
COMMANDS = [
    Command(block.where, line.removeprefix("$ "))
    for block in BLOCKS
    if block.language == "console"
    for line in block.text.splitlines()
]
SCRIPTS = [block for block in BLOCKS if block.language == "python"]


def of_tools(command: Command) -> bool:
    """Whether a command makes an environment and builds: too much to do inside a test."""
    return any(word.startswith("./tools/") for word in shlex.split(command.text))


def of_venue(command: Command) -> bool:
    """Whether a command runs until it is interrupted."""
    return command.text.startswith("python -m mlthon.run venue")


SERVING = [command for command in COMMANDS if of_venue(command)]
ENDING = [
    command
    for command in COMMANDS
    if not of_tools(command) and not of_venue(command) and command.text != ACTIVATE
]


# -- running ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the README's commands name."""
    folder = tmp_path_factory.mktemp("docs")
    strategy = next(block for block in SCRIPTS if "class Lean(IStrategy)" in block.text)
    (folder / "lean.py").write_text(strategy.text)
    write_capture(folder / "capture.gz")
    return folder


def write_capture(path: Path) -> None:
    """Write a minute of a quiet USD-M market: a diff every 100 ms that changes the best levels."""
    bids = [[f"{60_000 - depth}.0", "5.001"] for depth in range(20)]
    asks = [[f"{60_001 + depth}.1", "5.001"] for depth in range(20)]
    messages = [{"lastUpdateId": 1, "E": 0, "T": 0, "bids": bids, "asks": asks}]
    for number in range(2, 600):
        sent = number * 100 - 100  # ms, as the lines are
        data = {"e": "depthUpdate", "E": sent, "T": sent, "s": "BTCUSDT", "U": number, "u": number}
        qty = f"{number % 7 + 1}.000"
        data |= {"pu": number - 1, "b": [["60000.0", qty]], "a": [["60001.1", qty]]}
        messages.append({"stream": "btcusdt@depth", "data": data})
    with gzip.open(path, "wt") as stream:
        for index, message in enumerate(messages):
            stream.write(f"{index * 100_000_000} {json.dumps(message)}\n")


def start(words: list[str], folder: Path) -> subprocess.Popen[str]:
    """Start a command as a user with an active environment would, in a process group of its own."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {
        **os.environ,
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(folder / "cache") if folder != ROOT else os.environ.get("XDG_CACHE_HOME", ""),
        "PYTEST_ADDOPTS": "--benchmark-disable -p no:cacheprovider",
    }
    return subprocess.Popen(
        words,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(words: list[str], folder: Path) -> tuple[str, str]:
    """Run a command to its end, which must be a good one; return what it wrote."""
    process = start(words, folder)
    try:
        out, err = process.communicate(timeout=TIMEOUT_S)
    finally:
        kill_all(process)
    assert process.returncode == 0, f"{shlex.join(words)}: exit {process.returncode}\n{out}\n{err}"
    return out, err


def kill_all(process: subprocess.Popen[str]) -> None:
    """Leave nothing of a command behind, nor of what it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.communicate()


@pytest.mark.parametrize("command", ENDING, ids=lambda command: f"{command.where} {command.text}")
def test_command_runs(command: Command, workspace: Path) -> None:
    words = shlex.split(command.text)
    assert words[0] == "python", f"{command.where}: expected a command that this test knows how to run"
    is_run = words[:3] == ["python", "-m", "mlthon.run"]
    out, err = run(words, workspace if is_run else ROOT)
    if is_run and words[3] == "record":
        check_recording(words, out, workspace)
    elif is_run and words[3] != "data":
        check_run(words, out, err, workspace)


def check_recording(words: list[str], out: str, folder: Path) -> None:
    """Check that a recording is where the document says."""
    assert re.search(r"^ +1 s .*lag -?\d+ ms  gaps 0$", out, re.MULTILINE), out
    recorded = folder / words[words.index("-o") + 1]
    assert list((recorded / "byt-perp-BTC-USDT").glob("*.frames.gz"))
    assert "--convert" not in words or (recorded / "byt-perp-BTC-USDT.tape").exists()


def check_run(words: list[str], out: str, err: str, folder: Path) -> None:
    """Check that a run did what the document says of it."""
    if "compare" in words:
        assert re.search(r"strategy .*Lean .*DemoStrat .*differs", out), out
        return
    if "--json" in words:
        summary = json.loads(out.splitlines()[-1])
        assert summary["orders"]["acked"] > 0
        assert summary["fills"] == summary["venue"]["fills"] > 0
        assert summary["position"] == summary["venue"]["position"]
    else:
        assert "byt:perp:BTC-USDT" in out
        assert re.search(r"orders\b", out)
    if "--verbose" in words:
        assert re.search(r"(Buy|Sell) 0\.002", err), err  # the strategy's own line for a fill
    if "--report" in words:
        assert "<h1>" in (folder / words[words.index("--report") + 1]).read_text()
    if "--save" in words:
        assert {"result.json", "fills.parquet", "orders.parquet", "equity.parquet"} <= {
            path.name for path in (folder / words[words.index("--save") + 1]).iterdir()
        }
    if "--event-log" in words:
        lines = (folder / words[words.index("--event-log") + 1]).read_text().splitlines()
        names = {json.loads(line)["name"] for line in lines}
        assert {"send_new_order", "on_order_execution"} <= names


@pytest.mark.parametrize("command", SERVING, ids=lambda command: f"{command.where} {command.text}")
def test_venue_serves_until_interrupted(command: Command, workspace: Path) -> None:
    process = start(shlex.split(command.text), workspace)
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        with urlopen(f"{ready['rest']}/v5/market/time", timeout=TIMEOUT_S) as answer:
            assert json.load(answer)["retCode"] == 0
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
    finally:
        kill_all(process)
    assert (process.returncode, out) == (0, ""), err
    readme = (ROOT / "README.md").read_text()
    assert [key for key in ready if f"`{key}`" not in readme] == []
    assert ready["ws_public"].endswith("/v5/public")


@pytest.mark.parametrize("block", SCRIPTS, ids=lambda block: block.where)
def test_script_runs(block: Block, workspace: Path) -> None:
    out, _ = run([sys.executable, "-c", block.text], workspace)
    if "get_positions" in block.text:
        assert out.split() == ["0.010"]


@pytest.mark.parametrize("command", [c for c in COMMANDS if of_tools(c)], ids=lambda command: command.text)
def test_tool_can_be_executed(command: Command) -> None:
    tool = next(word for word in shlex.split(command.text) if word.startswith("./tools/"))
    assert os.access(ROOT / tool, os.X_OK), f"{command.where}: {tool} is not an executable file"


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_block_is_of_a_kind_that_is_tested(block: Block) -> None:
    assert block.language in ("console", "python", "")
    if block.language == "console":
        assert all(line.startswith("$ ") for line in block.text.splitlines()), "expected commands alone"


# -- names and links -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        path = document.parent / name if name else document
        assert path.exists(), f"{document.name}: no {target}"
        assert not anchor or anchor in anchors_of(path), f"{document.name}: no heading for {target}"


def anchors_of(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table_of(document: str, heading: str) -> list[list[str]]:
    """The cells of the table whose header starts with a given cell, without the header."""
    rows: list[list[str]] = []
    lines = iter((ROOT / document).read_text().splitlines())
    for line in lines:
        if line.startswith(f"| {heading} |"):
            next(lines)
            break
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    assert rows, f"{document}: expected a table that starts with {heading!r}"
    return rows


def test_contributing_names_every_package_and_only_what_exists() -> None:
    named = [row[0].strip("`") for row in table_of("CONTRIBUTING.md", "path")]
    assert [name for name in named if not (ROOT / name).exists()] == []
    assert len(named) == len(set(named))
    packages = {str(init.parent.relative_to(ROOT)) for init in PACKAGE.rglob("__init__.py")} - {"mlthon"}
    assert packages - set(named) == set()


def test_layers_are_drawn_as_they_are_tested() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    drawn = text.partition("## Layers\n\n```\n")[2].partition("```")[0]
    existing = [[name for name in row if list(PACKAGE.glob(f"{name}*"))] for row in LAYERS]
    assert [line.split(" | ") for line in drawn.splitlines()] == [row for row in existing if row]


def test_architecture_names_what_exists() -> None:
    sources = [path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".pyx")]
    known = {word for path in sources for word in re.findall(r"\w+", path.read_text())}
    known |= {path.name for path in PACKAGE.rglob("*")}
    text = (ROOT / "docs" / "architecture.md").read_text()
    for code in re.findall(r"`((?:_core/)?[A-Za-z][\w./]*)`", text):
        if (ROOT / code).exists() or (PACKAGE / code).exists() or code in known:
            continue
        assert "/" not in code, f"no file {code}"
        assert [part for part in code.split(".") if part not in known] == [], f"nothing is called {code}"


def test_exit_codes_are_those_of_the_command_line() -> None:
    documented = {
        (name, int(row[0]))
        for row in table_of("docs/architecture.md", "code")
        for name in re.findall(r"`(\w+)`", row[1])
    }
    assert documented == {(kind.__name__, code) for kind, code in cli._EXIT_CODES}
    assert {int(row[0]) for row in table_of("docs/architecture.md", "code")} == {
        0,
        cli._ANYTHING_ELSE,
        *(code for _, code in cli._EXIT_CODES),
    }


def test_options_are_those_of_the_command_line() -> None:
    documented = {row[0].strip("`").split()[0] for row in table_of("README.md", "option")}
    demo = typer.main.get_group(cli.app).commands["demo"]
    assert documented == {option for param in demo.params for option in param.opts if option.startswith("--")}


def test_changes_name_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.search(rf"^## {re.escape(version)}\b", (ROOT / "CHANGES.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_nobody_is_sent_to_an_index(document: Path) -> None:
    """The name there is somebody else's."""
    assert not re.search(r"pip3?\s+install\s+['\"]?mlthon", document.read_text())
