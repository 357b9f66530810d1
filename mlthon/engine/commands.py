"""Commands: named hooks into a strategy, and the two that every strategy has."""

from __future__ import annotations

from collections.abc import Callable

from mlthon.errors import UsageError

__all__ = ["Commands"]


class Commands:
    """The commands of one strategy by name. Names are case-insensitive.

    ``start`` and ``stop`` are built in: they are given the text after the name as one string; hooked commands are
    given a list of its words.
    """

    def __init__(
        self,
        start: Callable[[str], None],
        stop: Callable[[str], None],
        run: Callable[..., object],
    ) -> None:
        self._built_in = {"start": start, "stop": stop}
        self._run = run
        self._hooks: dict[str, Callable[[list[str]], object]] = {}

    def names(self) -> list[str]:
        """All names that `execute` knows."""
        return sorted([*self._built_in, *self._hooks])

    def hook(self, name: str, callback: Callable[[list[str]], object]) -> None:
        """Bind a name, replacing an earlier binding of the strategy's.

        Raises TypeError for a name that is no str or a callback that cannot be called, ValueError for an empty
        name, one with white space, and the name of a built-in.
        """
        if not isinstance(name, str):
            raise TypeError(f"cmd_name_str: expected a str, got {name!r}")
        if not callable(callback):
            raise TypeError(f"callback_func: expected a callable, got {callback!r}")
        if not name or len(name.split()) != 1 or name != name.strip():
            raise ValueError(f"cmd_name_str: expected one word, got {name!r}")
        folded = name.casefold()
        if folded in self._built_in:
            raise ValueError(f"cmd_name_str: {name!r} is a built-in command; choose another name")
        self._hooks[folded] = callback

    def execute(self, line: str) -> object:
        """Run one command line and return what its callback returned; raises UsageError for an unknown name."""
        name, text = [*line.split(None, 1), "", ""][:2]
        folded = name.casefold()
        if folded in self._built_in:
            self._built_in[folded](text.strip())
            return None
        hook = self._hooks.get(folded)
        if hook is None:
            raise UsageError(f"no command {name!r}; there are {', '.join(self.names())}")
        return self._run(f"command {name!r}", hook, text.split())
