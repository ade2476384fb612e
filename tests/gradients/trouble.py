"""A solver of one example that makes trouble on demand; without torch, so that processes start quickly."""

import os
import signal
import time

import numpy

__all__ = ["one"]


def one(theta, weight=1.0):
    """Argmax of one example; a first entry of 5, 6, 7, 8 makes trouble."""
    trouble = {5.0: "raise", 6.0: "shape", 7.0: "nan", 8.0: "sleep", 9.0: "die", 10.0: "stuck"}.get(float(theta[0]))
    if trouble == "raise":
        raise RuntimeError("no path")
    if trouble == "shape":
        return theta[:2]
    if trouble == "sleep":
        time.sleep(60)
    if trouble == "die":
        os._exit(1)
    if trouble == "stuck":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        time.sleep(60)
    y = numpy.zeros_like(theta)
    y[numpy.argmax(weight * theta)] = 1
    return y * (numpy.nan if trouble == "nan" else 1)
