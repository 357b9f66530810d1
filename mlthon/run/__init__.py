"""Running strategies: the only place that wires the parts together."""

import time

STARTED_S = time.perf_counter()  #: when the process began to load what it runs
