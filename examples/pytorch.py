"""Train an AAN network in a plain PyTorch loop, convert it, and simulate it. Nothing of it needs TensorFlow.

python examples/pytorch.py [digits|mnist]      (MNIST's four idx files: in the folder ADSNN_DATA)
"""

import sys

import numpy as np
import torch
from torch import nn

from snntb_adsnn import convert, simulate
from snntb_adsnn.data import Dataset, load_dataset
from snntb_adsnn.measure.evaluate import Evaluation
from snntb_adsnn.torch import AAN


def net(data: Dataset, m_f: float, pool: nn.Module) -> nn.Module:
    """16C3-BN-AAN-pool-64-10, for images of one channel; the pooling halves them."""
    rows, columns, _ = data.input_shape
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, bias=False),
        nn.BatchNorm2d(16),
        AAN(m_f=m_f),  # in place of nn.ReLU()
        pool,
        nn.Flatten(),
        nn.Linear(16 * ((rows - 2) // 2) * ((columns - 2) // 2), 64),
        AAN(m_f=m_f),
        nn.Linear(64, 10),
    )


def channels_first(x: np.ndarray) -> torch.Tensor:
    """Images as PyTorch has them."""
    return torch.from_numpy(np.moveaxis(x, -1, 1).copy())


def train(model: nn.Module, data: Dataset) -> None:
    """A plain loop over at most 20,000 images."""
    epochs = 15 if len(data.x_train) < 20_000 else 4
    images, labels = channels_first(data.x_train[:20_000]), torch.from_numpy(data.y_train[:20_000].argmax(axis=1))
    optimizer, loss = torch.optim.Adam(model.parameters()), nn.CrossEntropyLoss()
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            loss(model(images[batch]), labels[batch]).backward()
            optimizer.step()


def main() -> None:
    """Train, convert, simulate."""
    data = load_dataset(sys.argv[1] if len(sys.argv) > 1 else "digits")
    x_test, y_test = data.x_test[:1000], data.y_test[:1000]
    torch.manual_seed(0)
    model = net(data, 0.2, nn.MaxPool2d(2))
    train(model, data)
    network = convert(model, data.x_train[:100])  # compares network and model; the images may keep their channels last
    with torch.no_grad():
        ann = model.eval()(channels_first(x_test)).argmax(dim=1).numpy()
    for m_f in (0.1, 0.2, 0.4):  # precision can be changed after training
        evaluation = Evaluation(network.with_m_f(m_f))
        evaluation.add(simulate(network, x_test, duration=300, m_f=m_f), y_test, ann)
        m = evaluation.metrics()
        found = m.decisions
        print(
            f"m_f {m_f}: ANN {found.ann_accuracy:.1%}, AdSNN {found.snn_accuracy:.1%}, "
            f"same decision {found.agreement:.1%}, {m.firing.rate_hz:.1f} Hz"
        )


if __name__ == "__main__":
    main()
