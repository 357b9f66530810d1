"""Finding and making the strategy a user named."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from mlthon._core.callbacks import CALLBACKS, bound_callback
from mlthon.errors import StrategyLoadError

__all__ = ["load_strategy_class", "make_strategy"]


def load_strategy_class(spec: str) -> type:
    """Return the class named by ``module:Class`` or ``path/to/file.py:Class``.

    Raises StrategyLoadError, saying what was looked for and what was found, when there is no such module, file or
    class, and when importing it fails.

    >>> load_strategy_class("mlthon.strats.demo_strat:DemoStrat").__name__
    'DemoStrat'
    """
    where, colon, class_name = spec.rpartition(":")
    if not colon or not where or not class_name:
        raise StrategyLoadError(f"strategy: expected module:Class or file.py:Class, got {spec!r}")
    module = _import_file(Path(where)) if where.endswith(".py") else _import_module(where)
    found = getattr(module, class_name, None)
    if found is None:
        classes = [name for name, value in vars(module).items() if _is_own_class(value, module)]
        has = f"it has {', '.join(classes)}" if classes else "it has no classes"
        raise StrategyLoadError(f"strategy: {where} has no class {class_name!r}; {has}")
    if not isinstance(found, type):
        raise StrategyLoadError(f"strategy: {spec} is a {type(found).__name__}, expected a class")
    return found


def make_strategy(strategy_class: type, cfg: Mapping[str, object]) -> object:
    """Construct a strategy: with ``cfg`` as a dict if its constructor takes an argument, else without.

    Raises StrategyLoadError when the constructor raises, or when the object has no callback at all.
    """
    name = strategy_class.__name__
    try:
        strategy = strategy_class(dict(cfg)) if _takes_cfg(strategy_class) else strategy_class()
    except (Exception, SystemExit) as error:
        raise StrategyLoadError(f"strategy: {name}() raised {type(error).__name__}: {error}") from error
    if not any(bound_callback(strategy, callback) for callback in CALLBACKS):
        raise StrategyLoadError(
            f"strategy: {name} defines no callback of IStrategy, not even on_framework_connected"
        )
    return strategy


def _takes_cfg(strategy_class: type) -> bool:
    parameters = inspect.signature(strategy_class).parameters.values()
    return any(
        parameter.kind
        in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD, parameter.VAR_POSITIONAL)
        for parameter in parameters
    )


def _import_module(name: str) -> ModuleType:
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise StrategyLoadError(f"strategy: cannot import {name}: {_one_line(error)}") from error


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise StrategyLoadError(f"strategy: no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    sys.path.insert(0, str(path.parent.resolve()))  # a strategy may be split over files beside it
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise StrategyLoadError(f"strategy: cannot import {path}: {_one_line(error)}") from error
    return module


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _is_own_class(value: object, module: ModuleType) -> bool:
    return isinstance(value, type) and value.__module__ == module.__name__
