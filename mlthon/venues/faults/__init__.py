"""Faults on purpose: a plan of what goes wrong at a simulated venue, and what carries it out.

    plan.py         the plan: which faults there are, what they hit, and when
    plan_file.py    the plan as a YAML file
    injector.py     the plan being carried out: triggers, counts, what stands at the moment
    lines.py        what a fault does to the messages of one direction of a websocket

A venue has one seam a channel where it asks the injector; the rest of it knows nothing of faults. Importing this
package loads pydantic, so whoever plans no faults does not import it.
"""

from mlthon.venues.faults.injector import FaultInjector, FaultTarget, Injected
from mlthon.venues.faults.plan import Channel, Direction, FaultPlan
from mlthon.venues.faults.plan_file import load_plan, read_plan

__all__ = [
    "Channel",
    "Direction",
    "FaultInjector",
    "FaultPlan",
    "FaultTarget",
    "Injected",
    "load_plan",
    "read_plan",
]
