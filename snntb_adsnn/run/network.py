"""The network as it is simulated, from the network as it was trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from snntb_adsnn.config import AdsnnSection
from snntb_adsnn.errors import ConfigError, DataError, ParameterError
from snntb_adsnn.measure.correction import Correction
from snntb_adsnn.measure.safety import Rule, choose_rule
from snntb_adsnn.measure.settling import choose_waits
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.depth import staggered
from snntb_adsnn.network.maps import Array, Node
from snntb_adsnn.network.tasks import AUTO
from snntb_adsnn.neuron.transfer import check_constants
from snntb_adsnn.run.files import correction_inputs, read_npz

WAITING_INPUTS = 200
"""Training inputs on which waits are chosen, at most."""

EARLY_INPUTS = 1000
"""Training inputs on which the rule for early decisions is chosen, at most."""

CORRECTION_INPUTS = 100
"""Training inputs from which a network is corrected by itself."""


def configured(network: SpikingNetwork, section: AdsnnSection, dt: float) -> SpikingNetwork:
    """``network`` with the constants of ``[adsnn]`` and the time step ``dt`` in ms; what is not given stays.

    Raises:
        ConfigError: ``m_f`` names a layer that is not there, or the constants fit no neuron.
    """
    if unknown := set(section.m_f) - {"", *network.population_names}:
        raise ConfigError(
            f"[adsnn] m_f names the unknown layers {', '.join(sorted(unknown))}; the spiking layers are "
            f"{', '.join(network.population_names)}."
        )
    precisions = {name: section.m_f.get(name, section.m_f.get("")) for name in network.population_names}
    network = network.with_m_f({name: m_f for name, m_f in precisions.items() if m_f is not None})

    def change(node: Node) -> Node:
        if isinstance(node, Neurons):
            parameters = replace(node.parameters, dt=dt, **section.overrides)
            try:
                check_constants(parameters, node.form)
            except ParameterError as error:
                raise ConfigError(f"[adsnn] does not fit layer {node.name!r}: {error}") from None
            return replace(node, parameters=parameters, corrective=section.corrective).with_form(section.form)
        if isinstance(node, Readout):
            tau_beta = section.overrides.get("tau_beta", node.tau_beta)
            return replace(node, tau_phi=section.read_out_time, tau_beta=tau_beta, dt=dt)
        return node

    network = SpikingNetwork(tuple(map(change, network.nodes)))
    if not isinstance(section.onset, dict):
        return network
    if "" in section.onset:
        return staggered(network, section.onset[""])
    if unknown := set(section.onset) - set(network.population_names):
        raise ConfigError(
            f"[adsnn] onset names the unknown layers {', '.join(sorted(unknown))}; the spiking layers are "
            f"{', '.join(network.population_names)}."
        )
    return network.with_onset(section.onset)


def need_time(network: SpikingNetwork, duration: float) -> SpikingNetwork:
    """``network``, unless a layer of it would wait for the whole ``duration``, in ms.

    Raises:
        ConfigError: one would: nothing behind it could ever spike.
    """
    for population in network.populations:
        if population.onset >= duration:
            raise ConfigError(
                f"[adsnn] onset lets layer {population.name!r} wait for {population.onset:g} ms, and only {duration:g} "
                "ms are simulated, so that it would never spike; lower onset, or raise [simulation] duration."
            )
    return network


def waiting(network: SpikingNetwork, section: AdsnnSection, training_inputs: Path) -> SpikingNetwork:
    """``network`` with the waits and the read-out that ``onset = auto`` chooses; else as it is.

    Args:
        network: from ``configured``.
        training_inputs: the toolbox's ``x_norm.npz``.

    Raises:
        ConfigError: fewer training inputs than it takes, or a network that does not classify.
        DataError: there are none.
    """
    if section.onset != "auto":
        return network
    x = correction_inputs(training_inputs, 1, WAITING_INPUTS - 1)
    try:
        chosen = choose_waits(network, x, engine=section.engine)
    except ParameterError as error:
        raise ConfigError(f"[adsnn] {error}") from None
    print(
        f"Chosen on {len(x)} training inputs: onset = {chosen.onset:g} ms for each layer before, readout_tau_phi = "
        f"{chosen.tau_phi:g} ms; decided after {chosen.decided:g} ms."
    )
    return chosen.of(network)


def early_rule(network: SpikingNetwork, section: AdsnnSection, training_inputs: Path, duration: float) -> Rule | None:
    """The rule for deciding early that ``[adsnn] decide_early`` asks for; ``None``: none.

    Args:
        network: as it is simulated.
        training_inputs: the toolbox's ``x_norm.npz``.
        duration: the whole time, ms.

    Raises:
        ConfigError: a network that does not classify, or no rule is as safe as asked for.
        DataError: there are no training inputs.
    """
    if section.decide_early is None:
        return None
    x = correction_inputs(training_inputs, 1, EARLY_INPUTS - 1)
    try:
        rule = choose_rule(network, x, section.decide_early / 100, duration=duration, engine=section.engine)
    except ParameterError as error:
        raise ConfigError(f"[adsnn] decide_early: {error}") from None
    if rule is None:
        raise ConfigError(
            f"[adsnn] decide_early = {section.decide_early:g}: on {len(x)} training inputs no decision before the end "
            "is as safe; allow more, or remove it."
        )
    print(
        f"Deciding early, chosen on {len(x)} training inputs: margin {rule.margin:.4g}, patience {rule.patience:g} ms; "
        f"mean time there {rule.mean_time:.1f} ms, {rule.differing:.2%} decided otherwise than after {duration:g} ms."
    )
    return rule


def for_task(network: SpikingNetwork, section: AdsnnSection, labels: Array | None = None) -> SpikingNetwork:
    """``network`` for the task of ``[adsnn]``, or the one that outputs and labels say.

    Args:
        network: it.
        labels: as they stand in the file.

    Raises:
        ConfigError: the outputs cannot be used so.
        ParameterError: an output is always 1.
    """
    if section.task == AUTO:
        return network.with_task(AUTO, labels)
    try:
        return network.with_task(section.task, labels)
    except ParameterError as error:
        raise ConfigError(f"[adsnn] {error}") from None


def corrected(
    network: SpikingNetwork, trained: SpikingNetwork, section: AdsnnSection, correction: Correction | None
) -> SpikingNetwork:
    """What is simulated: ``network`` corrected.

    Args:
        network: from ``configured`` and ``waiting``.
        trained: as it was trained.
        correction: from ``correction_of``.
    """
    if correction is None:
        return network
    if correction.applies(network, trained):
        print(correction)
    return correction.of(network, trained, engine=section.engine)


def correction_of(network: SpikingNetwork, section: AdsnnSection, training_inputs: Path) -> Correction | None:
    """What ``[adsnn]`` asks the network to be corrected with; ``None``: nothing.

    By itself a network is corrected where there are training inputs, and where its spikes encode something else than it
    was trained for: graded spikes always do, others at another precision. Further training inputs decide whether the
    correction helps.

    Args:
        network: as it was trained.
        training_inputs: the toolbox's ``x_norm.npz``.

    Raises:
        ConfigError: fewer training inputs than asked for.
        DataError: training inputs are asked for, and there are none; or they have another shape than the network takes.
    """
    count = section.bias_correction
    if count == 0 or (count == "auto" and not training_inputs.is_file()):
        return None
    asked = CORRECTION_INPUTS if count == "auto" else count
    x = read_npz(training_inputs) if count == "auto" else correction_inputs(training_inputs, asked, asked)
    if x.shape[1:] != network.image_shape:
        raise DataError(
            f"{training_inputs}: inputs have shape {x.shape[1:]}, but the network takes {network.image_shape}; write "
            "training inputs of the data set that it was trained with, or set [adsnn] bias_correction = 0."
        )
    held_out = x[asked : 2 * asked]
    return Correction(x[:asked], section.slope_correction, held_out if len(held_out) else None, always=count != "auto")
