"""One side of `backtest.py`: a process that says when it is ready, then runs once for each line it is sent.

It answers with one JSON line: the processor's time and the wall's, in seconds, and what the run has seen.
"""

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any


def serve(
    prepare: Callable[[], Any], run: Callable[[Any], object], seen: Callable[[Any], dict[str, Any]]
) -> None:
    """Answer until there is nothing more to read. Only ``run(prepare())`` is timed, without garbage collection."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a package prints by itself is no answer
    answers.write("{}\n")
    for _ in sys.stdin:
        prepared = prepare()
        gc.collect()
        gc.disable()
        wall, spent = time.perf_counter(), time.process_time()
        run(prepared)
        spent, wall = time.process_time() - spent, time.perf_counter() - wall
        gc.enable()
        answers.write(json.dumps({"cpu_s": spent, "wall_s": wall, **seen(prepared)}) + "\n")
