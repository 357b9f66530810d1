"""MLThon, a framework for trading strategies.

Importing the package loads the standard library and the compiled core, nothing heavier. `TickUnit` stands here
because that is where it is published; every other name is imported from its own module.
"""

from mlthon.basics.tick_unit import TickUnit

__all__ = ["TickUnit"]
