"""Training batches: shuffled anew in every epoch, with flips and shifts; the same whenever an epoch is repeated."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from snntb_adsnn.keras_compat import keras
from snntb_adsnn.linear import Array


class Batches(keras.utils.Sequence):  # type: ignore[misc]
    """Batches of arrays for ``keras.Model.fit``.

    What is drawn at random depends on seed and epoch alone, so a training resumed in some epoch sees what it would
    have seen.

    Args:
        x: shape (samples, *input shape).
        y: labels, shape (samples, classes).
        batch_size: samples of a batch; the last one may be smaller.
        seed: of order, flips and shifts.
        epoch: the first epoch that is asked for, from 0; Keras announces the end of each.
        flip: mirror half of the images (height, width, channels) left to right.
        shift: largest shift in pixels along each axis; the border is mirrored outwards.
    """

    def __init__(
        self, x: Array, y: Array, batch_size: int, *, seed: int, epoch: int = 0, flip: bool = False, shift: int = 0
    ) -> None:
        super().__init__()
        self.x, self.y, self.batch_size, self.seed, self.flip, self.shift = x, y, batch_size, seed, flip, shift
        if shift:
            self.x = np.pad(x, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="reflect")
        self.size = x.shape[1:3]
        self._draw(epoch)

    def _draw(self, epoch: int) -> None:
        self.epoch = epoch
        rng = np.random.default_rng([self.seed, epoch])
        self.order = rng.permutation(len(self.x))
        self.flipped = rng.random(len(self.x)) < (0.5 if self.flip else 0.0)
        self.corners = rng.integers(0, 2 * self.shift + 1, (len(self.x), 2))

    def __len__(self) -> int:
        """Batches in an epoch."""
        return math.ceil(len(self.x) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        """Inputs and labels of one batch."""
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        if not (self.flip or self.shift):
            return self.x[chosen], self.y[chosen]
        rows, columns = (self.corners[chosen, axis, None] + np.arange(self.size[axis]) for axis in (0, 1))
        columns = np.where(self.flipped[chosen, None], columns[:, ::-1], columns)
        return self.x[chosen[:, None, None], rows[:, :, None], columns[:, None]], self.y[chosen]

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order, flips and shifts."""
        self._draw(self.epoch + 1)


def reseed(model: Any, seed: int, epoch: int) -> None:
    """Set the random generators of a model's layers (noise, dropout, distortion) to a state that depends on seed and
    epoch alone."""
    for number, layer in enumerate(model.layers):
        source = getattr(layer, "_random_generator", None)
        generator = getattr(source, "_generator", None)
        if generator is not None:
            generator.reset_from_seed(int(np.random.default_rng([seed, epoch, number]).integers(2**62)))
