"""Many simulations at once: on this machine's cores, or on a Dask cluster.

A job is a function of what all items share (network, images) and of one item. All runners yield an answer for each
item as it is ready, in any order. A worker process that dies costs nothing but the item it had: the item is tried again
in a new one, and after ``ATTEMPTS`` deaths it is answered with a ``Failure``.
"""

from snntb_adsnn.studies.workers.base import Answers, Failure, Job, Runner, cores, in_process, limit_threads
from snntb_adsnn.studies.workers.dask import Cluster
from snntb_adsnn.studies.workers.local import ATTEMPTS, Local

__all__ = [
    "ATTEMPTS",
    "Answers",
    "Cluster",
    "Failure",
    "Job",
    "Local",
    "Runner",
    "cores",
    "in_process",
    "limit_threads",
]
