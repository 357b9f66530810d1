"""Every exception MLThon raises on purpose.

    MLThonError
    ├── UsageError                  you misused us: the call, the file or the option is wrong
    │   ├── ConfigError             an option or configuration value
    │   ├── StrategyLoadError       the strategy file or class cannot be used
    │   ├── NotLoggedInError        on_framework_connected returned without env.login(...)
    │   └── InstrumentError         no such instrument, or the symbol fits several
    ├── DataError                   the bytes from outside are wrong
    │   ├── DecodeError             a message is not what the protocol says
    │   ├── GapError                messages are missing: the state behind them is not to be trusted
    │   └── TapeError               a recording is cut off, or is not one
    ├── VenueError                  the venue said no, or said nothing
    │   ├── VenueRefusal            it answered with an error code
    │   ├── UnsupportedAccount      the account is set up in a way that MLThon cannot trade with
    │   └── VenueUnreachable        it cannot be reached, or did not answer in time
    ├── StrategyError               the strategy's own code raised (the cause is chained)
    ├── OrdersLeftOpen              the run ended, and orders may still be at the venue
    └── LedgerMismatch              the strategy's books and the venue's disagree

Wrong types and values in a call raise the built-in TypeError, ValueError and OverflowError.
"""

from __future__ import annotations


class MLThonError(Exception):
    """Base of everything below; catch it to catch all that MLThon raises on purpose."""


class UsageError(MLThonError):
    """The caller did something that can never work; the text says what to do instead."""


class ConfigError(UsageError):
    """An option or configuration value is missing or wrong."""


class StrategyLoadError(UsageError):
    """A strategy could not be imported, found or constructed."""


class NotLoggedInError(UsageError):
    """The strategy did not call ``env.login(name)`` inside ``on_framework_connected``."""


class InstrumentError(UsageError, LookupError):
    """An instrument is unknown, or a bare symbol names more than one."""


class DataError(MLThonError):
    """Bytes from outside are not what they should be."""


class DecodeError(DataError):
    """A message could not be decoded; nothing of it was applied."""


class GapError(DataError):
    """A sequence number was skipped, so the state built from the stream is no longer right."""


class TapeError(DataError):
    """A recording cannot be read: not a recording, cut off, or out of order beyond repair."""


class VenueError(MLThonError):
    """The venue refused, or could not be reached."""


class VenueRefusal(VenueError):
    """The venue answered with an error code.

    ``code`` is the venue's own number, ``text`` its own words.
    """

    def __init__(self, code: int, text: str, request: str) -> None:
        super().__init__(f"{request}: the venue answered {code}: {text or 'no reason given'}")
        self.code = code
        self.text = text
        self.request = request


class UnsupportedAccount(VenueError):
    """The account is set up in a way that MLThon cannot trade with; the text says what to change."""


class VenueUnreachable(VenueError):
    """No connection, or no answer before the deadline."""


class StrategyError(MLThonError):
    """The strategy's own code raised; the original exception is the ``__cause__``."""


class OrdersLeftOpen(MLThonError):
    """A run ended with orders whose end the venue has not confirmed; the text names them."""


class LedgerMismatch(MLThonError):
    """What the strategy was told and what the venue booked are not the same."""
