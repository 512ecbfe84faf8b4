"""The event engine's threads, tasks and working memory."""

from __future__ import annotations

import gc
import math
import subprocess
import sys
import time
import weakref

import numpy as np
import pytest
from random_networks import (
    assert_same_counts,
    conv_net,
)

from snntb_adsnn.engine import Switch
from snntb_adsnn.engine.event import engine as event
from snntb_adsnn.engine.event import simulator, team
from snntb_adsnn.engine.event.memory import Needs
from snntb_adsnn.engine.event.plan import _waits
from snntb_adsnn.engine.event.simulator import ImageSimulator
from snntb_adsnn.engine.event.team import ABSENT, LEFT, LINGERING, PRESENCE, PRESENT, Team, recall


def test_working_memory_does_not_grow_with_steps():
    network = conv_net()
    plan = event._plan_of(network, complete=False)
    sizes = []
    for steps in (500, 5000):
        simulated = ImageSimulator(network, plan, steps, frozenset(), 2, Needs.of(plan))
        owners = [simulated.team, simulated.memory, *simulated.members]
        arrays = [
            v
            for owner in owners
            for k, v in vars(owner).items()  # results of one image grow
            if isinstance(v, np.ndarray) and k not in ("per_step", "outputs")
        ]
        sizes.append(sum(a.nbytes for a in arrays))
    assert sizes[0] == sizes[1]


def test_no_cell_lies_in_two_tasks_and_every_block_in_one():
    network = conv_net(channels=48)
    plan = event._plan_of(network, complete=False)
    for node in network.populations:
        layer = plan.by_name[node.name]
        bounds = plan.tasks[layer.task : layer.task + layer.tasks + 1]
        assert bounds[0] == 0
        assert bounds[-1] == layer.blocks
        assert (np.diff(bounds) > 0).all()
        assert len(bounds) > 2
        for bound in bounds[1:-1]:
            border = layer.neuron + bound * 64
            assert bound * 64 < node.size
            assert plan.places[border, 0] != plan.places[border - 1, 0]


@pytest.mark.parametrize(
    ("reads", "waits"),
    [
        ({"a": [], "b": ["a"], "c": ["b"], "out": ["c"]}, "b c out"),
        ({"a": [], "out": ["a"]}, "a out"),  # the read-out still reads what a writes in the next chunk
        ({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "out": ["d"]}, "b d out"),  # b and c at the same time
        ({"a": [], "b": [], "out": ["b", "a"]}, "a out"),
    ],
)
def test_a_layer_waits_for_the_others_only_where_it_must(reads, waits):
    found = _waits({name: set(sources) for name, sources in reads.items()})
    assert [name for name, waiting in found.items() if waiting] == waits.split()


def test_nobody_waits_for_a_thread_that_does_not_come(monkeypatch):
    network, x = conv_net(), np.random.default_rng(1).random((1, 16, 16, 1)).astype(np.float32)
    expected = event.run(network, x, 300, frozenset(), threads=1)
    shares = []  # of all that take part
    called = simulator.advance
    monkeypatch.setattr(
        simulator,
        "advance",
        lambda *arguments: shares.append(arguments[3]) or (called(*arguments) if arguments[3][0] == 0 else None),
    )
    found = event.run(network, x, 300, frozenset(), threads=3)
    np.testing.assert_array_equal(found.outputs, expected.outputs)
    assert_same_counts(found, expected)
    assert all(team.Share(*share).team == 3 for share in shares)


def test_a_helpers_error_reaches_the_caller():
    three = Team(3)
    found: list[int] = []
    three.start(found.append)
    three.gather()
    assert sorted(found) == [0, 1, 2]
    three.start(lambda member: 1 // (member - 2))
    with pytest.raises(ZeroDivisionError):
        three.gather()
    three.start(found.append)  # it goes on
    three.gather()
    assert sorted(found) == [0, 0, 1, 1, 2, 2]


def test_helpers_do_their_part_whether_they_linger_or_have_left():
    network, x = conv_net(), np.random.default_rng(5).random((6, 16, 16, 1)).astype(np.float32)
    switch = Switch(0.02, 20, 20, math.inf)  # always: another plan in mid-run
    for options in ({}, {"schedule": switch.schedule(network, 60)}):
        alone = event.run(network, x, 60, frozenset(), threads=1, **options)
        for image in range(len(x)):
            time.sleep(0.005 * (image % 3))  # longer than a helper lingers, or not
            one = event.run(network, x[image : image + 1], 60, frozenset(), threads=3, **options)
            np.testing.assert_array_equal(one.outputs[0], alone.outputs[image])
            for name, counts in one.spike_counts.items():
                np.testing.assert_array_equal(counts[0], alone.spike_counts[name][image])


def test_helpers_are_recalled_only_to_the_same_plan_and_steps(monkeypatch):
    asked = []
    monkeypatch.setattr(team, "recall", lambda presence, again: asked.append(again) or recall(presence, again))
    network, x = conv_net(), np.random.default_rng(5).random((1, 16, 16, 1)).astype(np.float32)
    switch = Switch(0.02, 20, 20, math.inf).schedule(network, 60)
    for schedule, expected in ((None, [False, True, True]), (switch, [False] * 6)):  # before and after the switch
        for _ in range(3):
            event.run(network, x, 60, frozenset(), threads=2, schedule=schedule)
        assert asked == expected
        asked.clear()


@pytest.mark.parametrize(
    ("before", "again", "called", "after"),
    [
        ([LINGERING, LINGERING], True, True, [PRESENT, PRESENT]),
        ([LINGERING, LINGERING], False, False, [LEFT, LEFT]),
        ([LINGERING, LEFT], True, False, [LEFT, LEFT]),  # not with half of the team
        ([LEFT, ABSENT], True, False, [LEFT, ABSENT]),
        ([], True, True, []),
        ([], False, False, []),
    ],
)
def test_only_a_whole_team_is_recalled(before, again, called, after):
    presence = np.zeros((1 + len(before), PRESENCE), np.int64)
    presence[1:, 0] = before
    assert recall(presence.reshape(-1), again) is called
    assert presence[1:, 0].tolist() == after


def test_simulators_are_used_again_and_freed_with_their_network():
    network, x = conv_net(8), np.random.default_rng(1).random((4, 16, 16, 1)).astype(np.float32)
    first = event.run(network, x, 60, frozenset(), threads=2)
    kept = list(event._idle[network])
    assert len(kept) == 2
    again = event.run(network, x, 60, frozenset(), threads=2)
    assert set(event._idle[network]) == set(kept)
    np.testing.assert_array_equal(again.outputs, first.outputs)
    assert_same_counts(again, first)
    event.run(network, x, 61, frozenset(), threads=2)
    assert not set(event._idle[network]) & set(kept)
    event.run(conv_net(16), x, 60, frozenset(), threads=2)
    assert network not in event._idle  # only the latest network's
    event.run(network, x, 60, frozenset(), threads=2)
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None


def test_kernels_work_where_no_cache_can_be_written():
    code = (
        "import numba.core.caching as c\n"
        "c.CacheImpl._locator_classes = []\n"
        "import numpy as np\n"
        "from snntb_adsnn.engine.event import kernels\n"
        "assert type(kernels.advance._cache).__name__ == 'NullCache'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_interrupt_stops_the_workers(monkeypatch):
    started = []

    def interrupted(self, x, image, *rest):
        started.append(image)
        raise KeyboardInterrupt

    monkeypatch.setattr(ImageSimulator, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        event.run(conv_net(), np.zeros((50, 16, 16, 1), np.float32), 5, frozenset(), threads=2)
    assert len(started) <= 2
