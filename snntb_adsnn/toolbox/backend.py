"""The simulator ``adsnn`` as SNN Toolbox sees it."""

from __future__ import annotations

import sys
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from snntoolbox.simulation.utils import AbstractSNN

from snntb_adsnn.config import adsnn_section
from snntb_adsnn.engine import SimulationResult, simulate
from snntb_adsnn.errors import OutputError
from snntb_adsnn.files import atomic_write, optional_picture, reason
from snntb_adsnn.frontends import convert
from snntb_adsnn.frontends.models import endings, find
from snntb_adsnn.measure.connectivity import fanouts, multiplications
from snntb_adsnn.measure.evaluate import Evaluation, flat_outputs
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import Array
from snntb_adsnn.network.tasks import Binary, Classification, Regression, Task, targets_of
from snntb_adsnn.report import print_table, write
from snntb_adsnn.report.results import TopK
from snntb_adsnn.run import configured, corrected, correction_of, early_rule, for_task, need_time, waiting
from snntb_adsnn.studies.batches import Batches
from snntb_adsnn.toolbox import ahead, logs, origin, settings
from snntb_adsnn.toolbox.accuracy import OutputTotals, Totals, in_top_k, remembered
from snntb_adsnn.toolbox.flow import RESULTS
from snntb_adsnn.toolbox.spread import finished, spread

PICTURES = ("accuracy_over_time", "error_over_time", "firing_rate_per_layer", "raster", "transfer_function")
"""The report's pictures in the log folder; the toolbox's own plots have other names."""


class SNN(AbstractSNN):  # type: ignore[misc]  # the toolbox has no types
    """Converts the parsed model with ``snntb_adsnn.convert`` and simulates it with ``snntb_adsnn.engine``.

    ``run`` replaces the toolbox's: it also tests the remainder of ``num_to_test / batch_size``, fills the log variables
    in whole arrays, and ends with the report (``results.json``, table, pictures) in the log folder.

    Attributes:
        section: ``[adsnn]``, as it was when the present run began (or the simulator was made).
        network: the converted network with its trained constants; this is what ``save`` writes.
        simulated: the same with the constants of ``[adsnn]``, made when a run begins.
        evaluation: figures of the present run.
        result: simulation of the last batch.
    """

    is_parallelizable = True

    def __init__(self, config: Any, queue: Any = None) -> None:
        settings.need_adapted(config)
        super().__init__(config, queue)
        self.section = settings.current_section(config)
        self._num_timesteps = round(self._duration / self._dt)
        for keys, name in ((self._log_keys, "log_vars"), (self._plot_keys, "plot_vars")):
            if "all" in keys:
                keys.update(map(str, literal_eval(config.get("restrictions", name))))
                keys.discard("all")
        # those of the toolbox's attributes that hold one batch's log variables
        self.spiketrains_n_b_l_t: logs.Labelled | None = None
        self.mem_n_b_l_t: logs.Labelled | None = None
        self.activations_n_b_l: logs.Labelled | None = None
        self.input_b_l_t: Array | None = None
        self.network: SpikingNetwork | None = None
        self.simulated: SpikingNetwork | None = None
        self.evaluation: Evaluation | None = None
        self.result: SimulationResult | None = None
        self._kept: Batches | None = None  # where workers simulate

    # ---- conversion, saving, loading ---------------------------------------------------------------------------------

    def build(self, parsed_model: Any, **_: Any) -> None:
        """As the toolbox's own, which asks the model for its Keras layers."""
        print("Building spiking model...")
        self.parsed_model = parsed_model
        self.compile()
        self.set_connectivity()
        self.operations_ann = self._ann_operations()
        print(f"Number of operations of ANN: {self.operations_ann}")
        print(f"Number of neurons: {sum(self.num_neurons[1:])}")
        print(f"Number of synapses: {self.num_synapses}\n")
        self.is_built = True

    def setup_layers(self, batch_shape: Any) -> None:
        """Nothing layer by layer: ``compile`` converts the whole parsed model."""

    def compile(self) -> None:
        """Convert the parsed model, unless that was done before the run; compared with it on real inputs, layer by
        layer."""
        tau_phi = self.section.read_out_time
        network = ahead.network_of(self.parsed_model, tau_phi)
        if network is None:
            inputs = settings.check_inputs(self.config, self.section.check_images)
            network = convert(self.parsed_model, inputs, readout_tau_phi=tau_phi)
        self._set_network(for_task(network, self.section))

    def _set_network(self, network: SpikingNetwork) -> None:
        self.network = network
        self.data_format = "channels_last" if len(network.image_shape) == 3 else None
        self.num_classes = network.readout.shape[0]
        self.tasks = network.tasks
        top_k = self.config.getint("simulation", "top_k") if self._classifies else 1
        self.top_k = min(self.num_classes, top_k)
        if settings.is_sweep(self.config):  # a value that fits no neuron is named before the first one is simulated
            name = self.config.get("parameter_sweep", "param_name")
            for value in literal_eval(self.config.get("parameter_sweep", "param_values")):
                configured(network, adsnn_section(self.config, {name: repr(value)}), self._dt)
        for name, label in logs.labels(network).items():
            print(f"Spiking layer {label}: {name}")
        for task in self.tasks:
            print(f"Output {task.part.name}: {task.name}{_other_way(task)}")

    @property
    def _classifies(self) -> bool:
        """Whether the network chooses one of several classes: the one task that the toolbox knows."""
        return [task.name for task in self.tasks] == [Classification.name]

    def save(self, path: str, filename: str) -> None:
        """Write the converted network to ``<path>/<filename>.npz``."""
        file = Path(path) / f"{filename}.npz"
        if file.exists() and not self.config.getboolean("output", "overwrite"):
            raise OutputError(f"{file} exists; set [output] overwrite = True, or another filename_snn.")
        assert self.network is not None, "build first"
        print(f"Saving spiking network to {self.network.save(file)}...\n")
        if file == origin.network_file(self.config) and origin.parsed_file(self.config).is_file():
            origin.inherit_note(file, origin.parsed_file(self.config))

    def load(self, path: str, filename: str) -> None:
        """Read a network written by ``save``."""
        self._set_network(for_task(SpikingNetwork.load(Path(path) / f"{filename}.npz"), self.section))

    def restore_snn(self) -> None:
        """Read the converted network, and the parsed model if it is there (else the network's analog evaluation stands
        in for the ANN)."""
        print("Restoring spiking network...\n")
        folder = Path(self.config.get("paths", "path_wd"))
        self.load(str(folder), self.config.get("paths", "filename_snn"))
        parsed = find(folder / self.config.get("paths", "filename_parsed_model"))
        self.parsed_model = None if parsed is None else parsed.read(trust=self.section.trust_model)
        self.set_connectivity()
        self.operations_ann = self._ann_operations()
        self.is_built = True

    def set_connectivity(self) -> tuple[list[int], list[int], list[float]]:
        """Neurons, fan-in and fan-out by layer, from the network: input, populations, read-out."""
        assert self.network is not None, "build first"
        network = self.network
        layers: tuple[Neurons | Readout, ...] = (*network.populations, network.readout)
        products = multiplications(network)
        sizes = [int(np.prod(layer.shape)) for layer in layers]
        self.num_neurons = [int(np.prod(network.image_shape)), *sizes]
        sized = list(zip(layers, sizes, strict=True))
        self.num_neurons_with_bias = [0, *(size if layer.bias.any() else 0 for layer, size in sized)]
        self.fanin = [0.0, *(products[layer.name] / size for layer, size in sized)]
        self.fanout = [None, *(fanout.total for fanout in fanouts(network).values()), 0]
        self.num_synapses = int(sum(products.values()))
        return self.num_neurons, self.num_neurons_with_bias, self.fanin

    def _ann_operations(self) -> float:
        return float(2 * np.dot(self.num_neurons, self.fanin) + np.sum(self.num_neurons_with_bias))

    # ---- simulation --------------------------------------------------------------------------------------------------

    def init_cells(self) -> None:
        """Take the constants from the settings: a parameter sweep changes them between runs."""
        assert self.network is not None, "build or load first"
        self.section = settings.current_section(self.config)
        inputs = Path(self.config.get("paths", "dataset_path")) / "x_norm.npz"
        correction = correction_of(self.network, self.section, inputs)
        network = waiting(configured(self.network, self.section, self._dt), self.section, inputs)
        self.simulated = corrected(need_time(network, self._duration), self.network, self.section, correction)
        kept = any(population.corrected for population in self.simulated.populations)
        rule = early_rule(self.simulated, self.section, inputs, self._duration)
        self._rule: dict[str, Any] = {} if rule is None else {"margin": rule.margin, "patience": rule.patience}
        self._settled: dict[str, Any] = {
            "bias_correction": len(correction.inputs) if correction is not None and kept else 0,
            "slope_correction": correction is not None and kept and correction.slopes,
            "onset_ms": {population.name: population.onset for population in self.simulated.populations},
            "readout_tau_phi_ms": self.simulated.readout.tau_phi,
            **({} if rule is None else {"margin": rule.margin, "patience_ms": rule.patience}),
        }
        self.evaluation = Evaluation(self.simulated, self.section.matching_fraction)
        self._spikes = logs.SpikeLog(self.simulated, self._num_timesteps, self._log_keys, self._plot_keys)

    def simulate(self, x_b_l: Any = None, truth_b: Any = None, **_: Any) -> Array:
        """Simulate one batch, count it in ``evaluation``, and fill the log variables.

        Args:
            x_b_l: inputs, shape (batch, *input shape).
            truth_b: true classes, shape (batch,).

        Returns:
            shape (batch, classes, steps): at every step the largest is the read-out's choice, and they are never all 0
            (which the toolbox would take for undecided). One output that says yes or no is made two, for no and yes.
        """
        dense, self._kept = logs.needs_spikes(self._log_keys, self._plot_keys), None
        result = self._simulate(x_b_l, truth_b, self._ann(x_b_l), dense=dense)
        outputs = np.moveaxis(result.outputs, 1, 2).astype(np.float64)
        if [task.name for task in self.tasks] == [Binary.name]:
            outputs = np.concatenate([-outputs, outputs], axis=1)
        outputs -= outputs.min(axis=1, keepdims=True)
        return outputs + ~outputs.any(axis=1, keepdims=True)

    def _simulate(self, x: Array, truth: Array, ann_outputs: Array, *, dense: bool) -> SimulationResult:
        """``dense``: fill ``spiketrains_n_b_l_t``, which the toolbox's plots read; its log files do without."""
        if self.evaluation is None:
            self.init_cells()
        assert self.simulated is not None
        assert self.evaluation is not None
        observer = self._spikes.observer(len(x))
        if self._kept is None:
            record = self._recorded(dense=dense)
            asked: dict[str, Any] = {"duration": self._duration, "engine": self.section.engine, "record": record}
            self.result = simulate(self.simulated, x, **asked, **self._rule, on_spikes=observer)
        else:
            self.result = self._kept.result(x, observer)
        self.evaluation.add(self.result, truth, ann_outputs=ann_outputs)
        self._fill_log_variables(self.result, x, truth, dense=dense)
        return self.result

    def _recorded(self, *, dense: bool) -> frozenset[str]:
        return logs.recorded(self._log_keys if dense else self._log_keys - {"spiketrains_n_b_l_t"}, self._plot_keys)

    def _ann(self, x: Array) -> Array:
        """What the ANN gives, all values of an image in a row, shape (batch, values)."""
        if self.parsed_model is not None:
            return flat_outputs(self.parsed_model.predict_on_batch(x))
        assert self.network is not None
        return flat_outputs(self.network.analog(x))

    def _fill_log_variables(self, result: SimulationResult, x: Array, truth: Array, *, dense: bool) -> None:
        keys, network = (self._log_keys, self._plot_keys), self.simulated
        assert network is not None
        if "input_b_l_t" in self._log_keys:
            self.input_b_l_t = np.broadcast_to(np.asarray(x, np.float32)[..., None], (*x.shape, self._num_timesteps))
        if dense:
            self.spiketrains_n_b_l_t = logs.spike_trains(network, result)
        if logs.needs_operations(*keys):
            self.synaptic_operations_b_t = self._spikes.operations
        if "neuron_operations_b_t" in self._log_keys:
            self.neuron_operations_b_t = logs.neuron_operations(network, result)
        if logs.needs_potentials(*keys):
            self.mem_n_b_l_t = logs.potentials(network, result)
        if logs.needs_activations(*keys):
            self.activations_n_b_l = logs.activations(network, x)
        self.top1err_b_t = self.top5err_b_t = None
        if self._decides:
            (task,), (targets,) = self.tasks, targets_of(self.tasks, truth, len(x))
            self.top1err_b_t = task.score(result.decisions, targets) < 1
            self.top5err_b_t = self.top1err_b_t
            if self.top_k > 1:
                self.top5err_b_t = ~in_top_k(result.outputs, targets, self.top_k)

    @property
    def _decides(self) -> bool:
        """Whether a decision of each image can be right or wrong."""
        return len(self.tasks) == 1 and self.tasks[0].decides

    def reset(self, sample_idx: int) -> None:
        """Forget the last batch; every simulation starts from rest."""
        self.result = None

    def reset_log_vars(self) -> None:
        """Free the last batch's log variables."""
        self.spiketrains_n_b_l_t = self.mem_n_b_l_t = self.activations_n_b_l = self.input_b_l_t = None

    def end_sim(self) -> None:
        """Nothing to close."""

    # ---- the run -----------------------------------------------------------------------------------------------------

    def run(self, x_test: Any = None, y_test: Any = None, dataflow: Any = None, **kwargs: Any) -> float:
        """Simulate the test set batch by batch, with the toolbox's logs, plots and messages, and write the report.

        Args:
            x_test: inputs, shape (images, *input shape), and ``y_test``: one-hot labels, shape (images, classes).
            dataflow: iterator over such batches, instead of the two.
            **kwargs: ``path``: folder for logs and results (default: the log folder).

        Returns:
            the AdSNN's accuracy after the last step; where nothing is decided, its agreement with the ANN, and of
            several outputs the mean of these.
        """
        folder = Path(kwargs.get("path") or self.config.get("paths", "log_dir_of_current_run"))
        if changed := settings.swept(self.config):
            folder /= "_".join(f"{key}_{value}" for key, value in changed.items())
        if not self.is_built:
            self.restore_snn()
        x_test, y_test = self._chosen(x_test, y_test, dataflow)
        _remove_old(folder)
        self.init_cells()
        assert self.evaluation is not None
        sample = None
        totals = Totals(self.top_k) if self._classifies else OutputTotals(self.evaluation)
        batches = self._batches(x_test, y_test, dataflow)
        assert self.simulated is not None
        self._kept = spread(
            self.simulated,
            folder,
            duration=self._duration,
            **self._rule,
            engine=self.section.engine,
            record=self._recorded(dense=logs.needs_spikes((), self._plot_keys)),
            observed=self._spikes.observes,
        )
        for index, (x, y, ann_outputs) in enumerate(batches if self._kept is None else self._kept.ahead(batches)):
            targets = targets_of(self.tasks, y, len(x))
            truth = targets[0] if len(targets) == 1 else np.asarray(y)
            sample = x[0] if sample is None else sample
            print(f"\nStarting simulation of batch {index + 1}...")
            result = self._simulate(x, truth, ann_outputs, dense=logs.needs_spikes((), self._plot_keys))
            print(self._count(totals, result, ann_outputs, truth))
            atomic_write(folder / "accuracy.txt", totals.table())
            self._log_and_plot(folder, index, x, truth, totals)
            self.reset(index)
            self.reset_log_vars()
        return self._finish(folder, sample, totals)

    def _count(self, totals: Totals | OutputTotals, result: SimulationResult, ann_outputs: Array, truth: Array) -> str:
        """Count a batch in ``totals``; returns the progress."""
        if isinstance(totals, OutputTotals):
            message = totals.add()
            if self._decides:
                assert self.evaluation is not None
                self.top1err_ann = self.top5err_ann = 1 - (self.evaluation.metrics().decisions.ann_accuracy or 0)
            return message
        totals.add(result.outputs[:, -1], ann_outputs, truth)
        self.top1err_ann, self.top5err_ann = 1 - totals.ann_top1, 1 - totals.ann_top_k
        return totals.message()

    def _chosen(self, x_test: Any, y_test: Any, dataflow: Any) -> tuple[Any, Any]:
        """The inputs that ``sample_idxs_to_test`` names, where it names some; the toolbox's own function counts in
        batches, of which the last may be shorter, and does not end where an input is not there."""
        indices = list(literal_eval(self.config.get("simulation", "sample_idxs_to_test")))
        if not indices:
            return x_test, y_test
        if x_test is None:
            dataflow.reset()
            batches = [next(dataflow) for _ in range(len(dataflow))]
            x_test, y_test = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        self.config.set("simulation", "num_to_test", str(len(indices)))
        return x_test[indices], y_test[indices]

    def _batches(self, x_test: Any, y_test: Any, dataflow: Any) -> Iterator[tuple[Array, Array, Array]]:
        """Inputs, one-hot labels and the ANN's outputs, which may be known from its evaluation."""
        wanted = self.config.getint("simulation", "num_to_test")
        if x_test is not None:
            known = remembered(self.parsed_model, x_test) if self.parsed_model is not None else None
            for start in range(0, min(wanted, len(x_test)), self.batch_size):
                part = slice(start, min(start + self.batch_size, wanted))
                x = x_test[part]
                yield x, y_test[part], self._ann(x) if known is None else known.outputs[part]
            return
        dataflow.reset()
        wanted = min(wanted, dataflow.n)
        while wanted > 0:
            x, y = next(dataflow)
            yield x[:wanted], y[:wanted], self._ann(x[:wanted])
            wanted -= len(x)

    def _log_and_plot(self, folder: Path, index: int, x: Array, truth: Array, totals: Totals | OutputTotals) -> None:
        for operations in (self.synaptic_operations_b_t, self.neuron_operations_b_t):
            if operations is not None:  # the toolbox's unit: million operations since the start
                np.cumsum(operations / 1e6, axis=1, out=operations)
        if self._plot_keys:
            with optional_picture(f"a plot of SNN Toolbox in {folder}"):
                self._plot(folder, x, truth, totals)
        variables = {key: getattr(self, key) for key in self._log_keys}
        assert self.result is not None
        variables |= {"operations_ann": self.operations_ann / 1e6, "input_image_b_l": x, "true_classes_b": truth}
        if self._decides:
            variables |= {
                "top1err_b_t": self.top1err_b_t,
                "top5err_b_t": self.top5err_b_t,
                "top1err_ann": self.top1err_ann,
                "top5err_ann": self.top5err_ann,
            }
        else:
            variables["outputs_b_t"] = self.result.outputs
        rate = self.result.firing_rate_hz
        print(f"Average firing rate of this batch: {rate:.2f} Hz\n")
        if logs.needs_spikes(self._log_keys, self._plot_keys):
            variables["avg_rate"] = rate * self._dt / 1000
        if self._spikes.trains is not None:
            variables["spiketrains_n_b_l_t"] = self._spikes.trains.rows()
        logs.save(folder / "log_vars" / f"{index}.npz", variables)

    def _plot(self, folder: Path, x: Array, truth: Array, totals: Totals | OutputTotals) -> None:
        """The toolbox's plots of one batch."""
        import snntoolbox.simulation.plotting as plotting

        assert self.result is not None
        assert self.simulated is not None
        keys, where = self._plot_keys, str(folder)
        if "input_image" in keys:
            label = int(truth[0]) if self._decides and truth.ndim == 1 else 0
            plotting.plot_input_image(x[0], label, where, self.data_format)
        if "error_t" in keys and self._decides:
            plotting.plot_error_vs_time(
                self.top1err_b_t, self.top5err_b_t, self._duration, self._dt, self.top1err_ann, self.top5err_ann, where
            )
        if "confusion_matrix" in keys and isinstance(totals, Totals):
            plotting.plot_confusion_matrix(totals.truth, totals.guesses, where, list(range(self.num_classes)))
        if "operations" in keys:
            plotting.plot_ops_vs_time(self.synaptic_operations_b_t, self._duration, self._dt, where)
        if self.mem_n_b_l_t is not None and "v_mem" in keys:
            logs.plot_potentials(self.simulated, self.mem_n_b_l_t, folder)
        drawn = {}
        if logs.needs_activations((), keys):
            drawn["activations_n_b_l"] = self.activations_n_b_l
        if logs.needs_spikes((), keys):
            drawn["spiketrains_n_b_l_t"] = self.spiketrains_n_b_l_t
            drawn["spikerates_n_b_l"] = logs.rates(self.simulated, self.result)
        plotting.output_graphs(drawn, self.config, where, 0, self.data_format)

    def _finish(self, folder: Path, sample: Any, totals: Totals | OutputTotals) -> float:
        """Write and print the report of the run."""
        section = self.section
        assert self.evaluation is not None
        print("Simulation finished.\n")
        results = write(
            self.evaluation,
            folder,
            sample=sample,
            plots=section.plots,
            seed=section.seed,
            engine=section.engine,
            **self._settled,
            top_k=TopK(self.top_k, totals.snn_top_k, totals.ann_top_k) if isinstance(totals, Totals) else None,
            model=str(_without_ending(Path(self.config.get("paths", "path_wd")), self.config)),
        )
        finished(folder)
        top = Path(self.config.get("paths", "log_dir_of_current_run")) / RESULTS
        if folder != top.parent and settings.swept(self.config):  # of a sweep, the last value's stand there
            atomic_write(top, (folder / RESULTS).read_bytes())
        sys.stdout.flush()
        print_table(results)
        print(f"Results and pictures are in {folder}")
        outputs = self.evaluation.metrics().outputs
        return float(np.mean([output.quality_over_time[-1] for output in outputs]))


def _other_way(task: Task) -> str:
    """What a single value without a sigmoid could mean as well."""
    if task.name != Regression.name or not Binary.fits(task.part):
        return ""
    return ". If it is a logit, write [adsnn] task = binary: then it says yes above 0."


def _remove_old(folder: Path) -> None:
    """Remove what an earlier run left, so that it cannot be taken for this run's."""
    try:
        pictures = [folder / f"{name}.png" for name in PICTURES]
        for file in (folder / RESULTS, folder / "accuracy.txt", *pictures, *(folder / "log_vars").glob("*.npz")):
            file.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: the last run's files cannot be removed ({reason(error)}); choose another runlabel."
        ) from error


def _without_ending(folder: Path, config: Any) -> Path:
    """The model, without the ending of its file: that may be gone when a saved network is run."""
    path = folder / config.get("paths", "filename_ann")
    return path.with_suffix("") if path.suffix in endings() else path
