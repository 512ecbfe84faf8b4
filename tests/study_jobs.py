"""Jobs for the tests of studies: importable in worker processes."""

from __future__ import annotations

import os
import signal
import struct
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from snntb_adsnn.config import load_config
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.network import Input, Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import Dense
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.studies.study import Subject


def square(shared, item):
    return {"value": shared * item * item}


def marked(folder, item):
    """Leaves a file for each time that it ran; sleeps, so that it can be caught."""
    (Path(folder) / f"{item}-{os.getpid()}-{time.monotonic_ns()}").touch()
    time.sleep(0.2)
    return {"value": item}


def die(folder, item):
    """Items below 10 kill their worker once, 13 always; 17 is a mistake of the user, 19 a bug."""
    if item == 17:
        raise ParameterError("17 is not allowed.")
    if item == 19:
        raise ZeroDivisionError("a bug")
    seen = Path(folder) / str(item)
    if item == 13 or (item < 10 and not seen.exists()):
        seen.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"value": item}


def break_off(folder, item):
    """Items below 10 kill their worker once while it sends its answer, 13 always; item 2 in the message's header."""
    seen = Path(folder) / str(item)

    def send(pipe, answer):
        message = struct.pack("!i", 1000) + b"half an answer"
        os.write(pipe.fileno(), message[: 2 if item == 2 else None])
        os.kill(os.getpid(), signal.SIGKILL)

    if item == 13 or (item < 10 and not seen.exists()):
        seen.touch()
        Connection.send = send
    return {"value": item}


def threads(shared, item):
    import numba
    from threadpoolctl import threadpool_info

    blas = [pool["num_threads"] for pool in threadpool_info()]
    time.sleep(0.3)
    return {"numba": numba.config.NUMBA_NUM_THREADS, "blas": max(blas, default=1), "pid": os.getpid()}


def small_network(neurons=40):
    random = np.random.default_rng(1)
    parameters = ASNParameters(m_f=0.2)
    nodes = [Input("x", (), (), (8,))]
    source, size = "x", 8
    for name in ("a", "b"):
        weights = random.normal(0, 1.5 / np.sqrt(size), (size, neurons)).astype(np.float32)
        nodes.append(Dense(f"{name}/w", (source,), ((size,),), weights))
        nodes.append(Neurons(name, (f"{name}/w",), ((neurons,),), np.zeros(neurons, np.float32), parameters))
        source, size = name, neurons
    weights = random.normal(0, 1 / np.sqrt(size), (size, 3)).astype(np.float32)
    nodes.append(Dense("out/w", (source,), ((size,),), weights))
    nodes.append(Readout("out", ("out/w",), ((3,),), np.zeros(3, np.float32)))
    return SpikingNetwork(tuple(nodes))


def small_subject(images=60, neurons=40, duration=100.0):
    network = small_network(neurons)
    x = np.random.default_rng(2).random((images, 8), np.float32)
    ann = network.analog(x).argmax(axis=1)
    labels = np.where(np.arange(images) % 10 == 0, (ann + 1) % 3, ann)  # the ANN has 90 %
    return Subject(network, network, x, labels, ann, duration, 25)


def sweep_in(config_file):
    """What ``snntb-adsnn sweep`` does behind the conversion: a program that tests can kill."""
    from snntb_adsnn.report.sweeps import write_sweep
    from snntb_adsnn.studies.sweep import FOLDER, sweep
    from snntb_adsnn.studies.workers import Local

    config = load_config(config_file)
    outcome = sweep(config, small_subject(images=80, neurons=100, duration=500.0), Local(2))
    write_sweep(outcome, config.paths.path_wd / FOLDER, plots=False)


def sweep_config(folder, text="m_f = 0.1, 0.4\n"):
    """The configuration of a sweep in ``folder``."""
    file = Path(folder) / "c.ini"
    file.write_text(f"[paths]\npath_wd = run\nfilename_ann = net\n[sweep]\n{text}")
    return load_config(file)


def points_folder(config):
    """Where the sweep keeps its points."""
    return config.paths.path_wd / "sweep" / "points"


if __name__ == "__main__":
    sweep_in(sys.argv[1])
