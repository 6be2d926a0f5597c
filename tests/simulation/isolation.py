"""A seed in a process of its own: killed gateways leave nothing behind, and nothing before it changes it."""

import os
import pickle

from simulation.run import Outcome, simulate


def simulate_apart(seed: str, bug: str | None = None) -> Outcome:
    """Simulate a seed in a forked process. The caller's process has no other threads."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(simulate(seed, bug), pipe)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    if not data:
        message = f"The process of seed {seed} ended without a result."
        raise RuntimeError(message)
    return pickle.loads(data)
