"""A Keras model as a list of uses of its layers: models inside models opened, a layer used twice listed twice.

Keras 2 and Keras 3 keep the same graph by different names; ``Flavour`` knows them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.network.maps import Array
from snntb_adsnn.network.rewrite import fresh_name


class Slot(NamedTuple):
    """Stands in a call's arguments for the tensor of a number."""

    key: int


class Before(NamedTuple):
    """What a layer computes before its activation."""

    use: int


@dataclass(frozen=True)
class Use:
    """One use of a layer.

    Attributes:
        layer: the layer, or function, of Keras.
        name: the layer's, unique in the model.
        inputs, output: numbers of the tensors that it reads and gives.
        shape: of the output, without the batch axis.
        arguments, keywords: of the call, with a ``Slot`` for each tensor.
        number: its place in ``Graph.uses``.
    """

    layer: Any
    name: str
    inputs: tuple[int, ...]
    output: int
    shape: tuple[int | None, ...]
    arguments: Any
    keywords: Any
    number: int


class Flavour:
    """What differs between the two Keras. ``keras``: the package.

    Attributes:
        name: for messages.
        hard_sigmoid_slope: of its ``hard_sigmoid``.
    """

    name = "Keras"
    hard_sigmoid_slope = 0.2

    def __init__(self, keras: Any) -> None:
        self.keras = keras

    def functional(self, model: Any) -> Any:
        """What holds the graph of ``model``; ``None`` where it has none (a class with a ``call`` of its own)."""
        if not getattr(model, "built", True) or not getattr(model, "inputs", None):
            return None
        return model if hasattr(model, "_nodes_by_depth") else None

    def structures(self, functional: Any) -> tuple[Any, Any]:
        """A model's inputs and outputs as it was given them: a tensor each, or lists and dictionaries of them."""
        return functional._nested_inputs, functional._nested_outputs

    def layer(self, node: Any) -> Any:
        """The layer that a node of the graph calls."""
        return node.outbound_layer

    def tensors(self, node: Any) -> tuple[list[Any], list[Any]]:
        """The tensors that a node reads and gives."""
        return list(node.keras_inputs), _sorted_leaves(node.outputs)

    def arguments(self, node: Any) -> tuple[Any, Any]:
        """The arguments and keywords of a node's call."""
        return node.call_args, node.call_kwargs

    def tensor(self, x: Array, like: Any) -> Any:
        """An array as the tensor that a model's input ``like`` takes."""
        return self.keras.backend.constant(x, dtype=like.dtype)

    def array(self, tensor: Any) -> Array:
        """A tensor's values."""
        return np.asarray(tensor)

    def knows_training(self, layer: Any) -> bool:
        """Whether a layer's call is told whether it trains."""
        return bool(getattr(layer, "_expects_training_arg", False))

    def owns(self, layer: Any) -> bool:
        """Whether a layer's class is Keras' own: a subclass may compute something else."""
        kind = type(layer)
        return getattr(self.keras.layers, kind.__name__, None) is kind

    def function(self, layer: Any) -> str | None:
        """Name of the function that ``layer`` stands for, as TensorFlow names it; ``None``: it is a layer."""
        if type(layer).__name__ != "TFOpLambda":
            return None
        return str(layer.get_config()["function"])


@dataclass
class Graph:
    """The uses of a model's layers, in an order in which each comes after those that it reads.

    Attributes:
        flavour: whose model it is.
        model: the model.
        inputs, outputs: numbers of its tensors; outputs in the order in which the model was given them.
        input_names, output_names: the keys of dictionaries, and else what Keras calls them.
        structures: see ``Flavour``.
        uses: see ``Use``.
        shapes: of the tensors, without the batch axis.
    """

    flavour: Flavour
    model: Any
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    input_names: list[str] = field(default_factory=list)
    output_names: list[str] = field(default_factory=list)
    structures: tuple[Any, Any] = (None, None)
    uses: list[Use] = field(default_factory=list)
    shapes: list[tuple[int | None, ...]] = field(default_factory=list)

    @classmethod
    def of(cls, model: Any, flavour: Flavour) -> Graph:
        """Read a model.

        Raises:
            ConversionError: it is not built, or is a class whose layers are not known.
        """
        functional = flavour.functional(model)
        if functional is None:
            if type(model).__name__ in ("Sequential", "Functional", "Model") and not getattr(model, "inputs", None):
                raise ConversionError(
                    "the model has no known input shape; build it, or give its first layer an input shape."
                )
            raise ConversionError(
                f"the model is a {type(model).__name__} with a call of its own, so that its layers are not known. "
                "Build it from layers: keras.Model(inputs, outputs) or keras.Sequential."
            )
        graph = cls(flavour, model)
        graph.inputs = [graph._new(tensor) for tensor in functional.inputs]
        found = dict(zip(map(id, functional.outputs), graph._open(functional, graph.inputs, ""), strict=True))
        graph.structures = flavour.structures(functional)
        given = {id(tensor): name for name, tensor in named_inputs(functional, graph.structures[0])}
        graph.input_names = [given[id(tensor)] for tensor in functional.inputs]
        ends = named_outputs(functional, graph.structures[1])
        graph.output_names, graph.outputs = [name for name, _ in ends], [found[id(tensor)] for _, tensor in ends]
        return graph

    def _new(self, tensor: Any) -> int:
        self.shapes.append(tuple(tensor.shape[1:]))
        return len(self.shapes) - 1

    def _open(self, model: Any, given: Sequence[int], prefix: str) -> list[int]:
        """Add the uses of a model's layers; ``given``: its inputs. Returns its outputs."""
        known = {id(tensor): key for tensor, key in zip(model.inputs, given, strict=True)}
        taken = {use.name for use in self.uses}
        for node in _ordered(model):
            layer = self.flavour.layer(node)
            inputs, outputs = self.flavour.tensors(node)
            if not inputs:
                continue  # an input layer
            keys = [known[id(tensor)] for tensor in inputs]
            if isinstance(layer, self.flavour.keras.Model):
                functional = self.flavour.functional(layer)
                if functional is None:
                    raise ConversionError(
                        f"layer {layer.name!r} is a model with a call of its own, so that its layers are not known. "
                        "Build it from layers: keras.Model(inputs, outputs) or keras.Sequential."
                    )
                found = self._open(functional, keys, f"{prefix}{layer.name}/")
                known |= dict(zip(map(id, outputs), found, strict=True))
                taken = {use.name for use in self.uses}
                continue
            if len(outputs) != 1:
                raise ConversionError(
                    f"layer {layer.name!r} ({type(layer).__name__}) gives {len(outputs)} outputs; only layers with one "
                    "are converted."
                )
            slots = {id(tensor): Slot(key) for tensor, key in zip(inputs, keys, strict=True)}
            arguments, keywords = (_with_slots(part, slots) for part in self.flavour.arguments(node))
            if keywords.get("training") is True:
                raise ConversionError(
                    f"layer {layer.name!r} ({type(layer).__name__}) is called with training=True: it computes with the "
                    "statistics of each batch, or at random. Call it without."
                )
            name = fresh_name(f"{prefix}{layer.name}", taken)
            taken.add(name)
            key = self._new(outputs[0])
            known[id(outputs[0])] = key
            self.uses.append(Use(layer, name, tuple(keys), key, self.shapes[key], arguments, keywords, len(self.uses)))
        return [known[id(tensor)] for tensor in model.outputs]

    def values(self, x: Sequence[Array], wanted: Iterable[int | Before]) -> dict[int | Before, Array]:
        """What Keras computes for inputs ``x``, layer by layer.

        Args:
            x: the model's inputs, each of shape (images, *shape).
            wanted: numbers of tensors, or what a layer gives before its activation.
        """
        wanted = set(wanted)
        reads = Counter(key for use in self.uses for key in use.inputs)
        tensors = {
            key: self.flavour.tensor(part, tensor)
            for key, part, tensor in zip(self.inputs, x, self.model.inputs, strict=True)
        }
        found: dict[int | Before, Array] = {key: self.flavour.array(y) for key, y in tensors.items() if key in wanted}
        for use in self.uses:
            arguments, keywords = (_filled(part, tensors) for part in (use.arguments, use.keywords))
            if self.flavour.knows_training(use.layer) and keywords.get("training") is None:
                keywords = {**keywords, "training": False}  # random flips and the like train by default
            y = use.layer(*arguments, **keywords)
            if (before := Before(use.number)) in wanted:
                twin = _without_activation(use.layer)
                twin(*arguments, **keywords)  # builds it
                twin.set_weights(use.layer.get_weights())
                found[before] = self.flavour.array(twin(*arguments, **keywords))
            tensors[use.output] = y
            if use.output in wanted:
                found[use.output] = self.flavour.array(y)
            for key in use.inputs:
                reads[key] -= 1
                if not reads[key]:
                    tensors.pop(key, None)  # memory
        return found

    def answers(self, x: Sequence[Array]) -> list[Array]:
        """What the model itself gives."""
        given, gives = self.structures
        tensors = {id(like): self.flavour.tensor(part, like) for part, like in zip(x, self.model.inputs, strict=True)}
        outputs = self.model(_rebuilt(given, tensors), training=False)
        return [self.flavour.array(y) for _, y in _leaves(gives, outputs)]


def named_inputs(functional: Any, structure: Any) -> list[tuple[str, Any]]:
    """A model's inputs, each with a name of its own: its key in a dictionary, or what Keras calls it."""
    names = getattr(functional, "input_names", None) or [tensor.name for tensor in functional.inputs]
    return _named(structure, functional.inputs, names)


def named_outputs(functional: Any, structure: Any) -> list[tuple[str, Any]]:
    """A model's outputs in the order in which it was given them, named as its inputs are."""
    return _named(structure, functional.outputs, functional.output_names)


def _named(structure: Any, tensors: Sequence[Any], names: Sequence[str]) -> list[tuple[str, Any]]:
    """``names``: Keras' own, of ``tensors``, which it has sorted by the keys of dictionaries."""
    own: dict[int, list[str]] = {}
    for tensor, name in zip(tensors, names, strict=True):
        own.setdefault(id(tensor), []).append(name)
    found: list[tuple[str, Any]] = []
    for key, tensor in _leaves(structure, structure):
        its = own[id(tensor)]
        name = key or (its.pop(0) if len(its) > 1 else its[0])
        found.append((fresh_name(name, (taken for taken, _ in found)), tensor))
    return found


def _leaves(structure: Any, values: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Each of ``values``, which are laid out as ``structure`` is, with the keys of dictionaries that lead to it."""
    if isinstance(structure, Mapping):
        for name, part in structure.items():
            yield from _leaves(part, values[name], f"{key}/{name}" if key else str(name))
    elif isinstance(structure, list | tuple):
        if len(structure) == 1 and not isinstance(values, list | tuple):  # a list of one may come back without its list
            values = [values]
        for part, value in zip(structure, values, strict=True):
            yield from _leaves(part, value, key)
    else:
        yield key, values


def _sorted_leaves(part: Any) -> list[Any]:
    """The tensors of a structure in the order in which Keras lists them."""
    if isinstance(part, Mapping):
        return [leaf for key in sorted(part) for leaf in _sorted_leaves(part[key])]
    return [leaf for one in part for leaf in _sorted_leaves(one)] if isinstance(part, list | tuple) else [part]


def _rebuilt(structure: Any, tensors: Mapping[int, Any]) -> Any:
    """``structure`` with other tensors, by the ``id`` of those that stand there."""
    if isinstance(structure, Mapping):
        return {key: _rebuilt(part, tensors) for key, part in structure.items()}
    if isinstance(structure, list | tuple):
        return [_rebuilt(part, tensors) for part in structure]
    return tensors[id(structure)]


def _ordered(model: Any) -> Iterator[Any]:
    """A model's nodes, inputs first."""
    for depth in sorted(model._nodes_by_depth, reverse=True):
        yield from model._nodes_by_depth[depth]


def _with_slots(part: Any, slots: Mapping[int, Slot]) -> Any:
    if id(part) in slots:
        return slots[id(part)]
    if isinstance(part, dict):
        return {key: _with_slots(value, slots) for key, value in part.items()}
    if isinstance(part, list | tuple) and type(part) in (list, tuple):
        return type(part)(_with_slots(value, slots) for value in part)
    return part


def _filled(part: Any, tensors: Mapping[int, Any]) -> Any:
    if isinstance(part, Slot):
        return tensors[part.key]
    if isinstance(part, dict):
        return {key: _filled(value, tensors) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return type(part)(_filled(value, tensors) for value in part)
    return part


def _without_activation(layer: Any) -> Any:
    """A new layer that leaves the activation out."""
    return type(layer).from_config({**layer.get_config(), "activation": "linear"})
