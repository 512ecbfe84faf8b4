"""Probes: watch the state memories' write ports inside a stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from snntb_adsnn.neuron.constants import STATES
from verification.cases import Case
from verification.tops import covered_pixels

States = Mapping[str, list[Any]]
"""By state word, one flat array for each step (``held``: for each image)."""


def probe(stage: Any, case: Case) -> NeuronProbe | ReadoutProbe:
    """The probe for a stage's instance."""
    kinds = {"first": AnalogProbe, "inner": NeuronProbe, "last": ReadoutProbe}
    return kinds[case.stage.place](stage, case)


def signed(word: int, width: int) -> int:
    """Two's complement."""
    return word - (1 << width) if word >> (width - 1) else word


class NeuronProbe:
    """Write-backs of V (and I, unless it is held), S_hat and theta_a."""

    def __init__(self, stage: Any, case: Case) -> None:
        stage_data: Any = case.stage
        n = stage_data.neurons
        core = stage.u_neurons
        self.pixel = core.pixel_write, core.pixel_address, core.iv_write
        self.neuron = core.neuron_write, core.neuron_address, core.ha_write
        held = case.stage.place == "first"
        # the last state of a memory's word lies lowest
        fields = [(state, n.types[state.name]) for state in reversed(STATES)]
        self.pixel_fields = [(s.name, t) for s, t in fields if s.at == "input" and not (held and s.name == "I")]
        self.neuron_fields = [(s.name, t) for s, t in fields if s.at == "neuron"]
        groups = (n.size if held else n.input_shape[-1]) // case.lanes.units
        self.units = case.lanes.units
        self.pixels_per_step = groups * (1 if held else covered_pixels(case))
        self.neurons_per_step = n.size // case.lanes.units
        self.writes: dict[str, list[tuple[int, int]]] = {"pixel": [], "neuron": []}

    def drive(self) -> None:
        """Only watches."""

    def sample(self) -> None:
        for name, (write, address, word) in (("pixel", self.pixel), ("neuron", self.neuron)):
            if write.value == 1:
                self.writes[name].append((int(address.value), int(word.value)))

    def compare(self, name: str, states: States) -> int:
        """Compare all writes; returns how many words that were."""
        compared = 0
        for kind, per_step, fields in (
            ("pixel", self.pixels_per_step, self.pixel_fields),
            ("neuron", self.neurons_per_step, self.neuron_fields),
        ):
            steps = len(states[fields[0][0]])
            assert len(self.writes[kind]) == steps * per_step, f"{name}: {len(self.writes[kind])} {kind} write-backs"
            for k, (address, word) in enumerate(self.writes[kind]):
                for unit in range(self.units):
                    for state, t in fields:
                        raw = word & ((1 << t.width) - 1)
                        word >>= t.width
                        got = signed(raw, t.width) if t.signed else raw
                        index = address * self.units + unit
                        wanted = states[state][k // per_step][index]
                        assert got == wanted, f"{name}: {state}[{index}] = {got}, not {wanted}, in step {k // per_step}"
                        compared += 1
        return compared


class AnalogProbe(NeuronProbe):
    """Also the held currents as they are stored."""

    def __init__(self, stage: Any, case: Case) -> None:
        super().__init__(stage, case)
        self.load_valid, self.current = stage.load_valid, stage.current5
        self.width = case.stage.state_types["I"].width
        self.loaded: list[int] = []

    def sample(self) -> None:
        super().sample()
        if int(self.load_valid.value) >> 4 & 1:
            self.loaded.append(signed(int(self.current.value), self.width))

    def compare(self, name: str, states: States) -> int:
        wanted = np.concatenate(states["held"]).tolist()
        assert self.loaded == wanted, f"{name}: held currents {self.loaded}, not {wanted}"
        return len(wanted) + super().compare(name, states)


class ReadoutProbe:
    """Write-backs of I and V of each class."""

    def __init__(self, stage: Any, case: Case) -> None:
        self.valid, self.i, self.v = stage.valid, stage.i_new, stage.v_new
        self.types = tuple(kind.width for kind in case.stage.state_types.values())
        self.writes: list[tuple[int, int]] = []

    def drive(self) -> None:
        """Only watches."""

    def sample(self) -> None:
        if int(self.valid.value) >> 9 & 1:
            i, v = self.types
            self.writes.append((signed(int(self.i.value), i), signed(int(self.v.value), v)))

    def compare(self, name: str, states: States) -> int:
        wanted = list(zip(np.concatenate(states["I"]).tolist(), np.concatenate(states["V"]).tolist(), strict=True))
        assert self.writes == wanted, f"{name}: I and V differ"
        return 2 * len(wanted)
