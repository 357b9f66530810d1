"""How long a book has had no message, and how long that may be before it is looked into."""

from __future__ import annotations

__all__ = ["LOOKS_A_BOUND", "Silence"]

LOOKS_A_BOUND = 4  # how often to look while a bound passes
_MOST_PATIENCE = 16  # how many times the first bound a quiet market may be silent in the end


class Silence:
    """The silence of one book, judged by looking at its message number now and then.

    Each silence that turns out to have hidden nothing doubles what the next may last; a message brings it back.

    >>> silence = Silence()
    >>> silence.began(0.0)
    >>> [silence.look(7, at, bound_s=10.0) for at in (1.0, 10.9, 11.0, 20.0, 31.0)]
    [0.0, 0.0, 10.0, 0.0, 20.0]
    """

    __slots__ = ("_heard_at", "_is_new", "_patience", "_seen")

    def __init__(self) -> None:
        self._seen: int | None = None  # the message number when last looked at
        self._heard_at = 0.0
        self._is_new = True
        self._patience = 1

    def began(self, now: float) -> None:
        """Note that a whole book has come: what is then heard first of it is that, and no message more."""
        self._heard_at = now
        self._is_new = True

    def broken(self) -> None:
        """Note a message that has not moved the number."""
        self._seen = None

    def look(self, update_id: int, now: float, bound_s: float) -> float:
        """Return for how long the book has been silent, once that is too long; else 0.0. Times in seconds."""
        if update_id != self._seen:
            if not self._is_new:
                self._patience = 1
            self._seen, self._heard_at, self._is_new = update_id, now, False
            return 0.0
        lasted_s = now - self._heard_at
        if lasted_s < bound_s * self._patience:
            return 0.0
        self._patience = min(self._patience * 2, _MOST_PATIENCE)
        self._heard_at = now
        return lasted_s
