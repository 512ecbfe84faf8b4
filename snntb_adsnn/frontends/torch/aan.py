"""AAN: the adaptive spiking neuron's transfer function as a PyTorch module."""

from __future__ import annotations

import torch

from snntb_adsnn.errors import ParameterError
from snntb_adsnn.frontends.torch.gradient import GRADIENTS
from snntb_adsnn.frontends.torch.operators import OPERATOR
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.transfer import FORMS, spike_height


class AAN(torch.nn.Module):  # type: ignore[misc]
    """Activation f(S) of an adaptive analog neuron: use in place of ``nn.ReLU()``.

    Values are exact. The default gradient is bounded: the exact form's is infinite at the threshold, and nets learn
    badly with it. The module has no weights, so that weights of a ReLU net fit a net with AAN.

    Args:
        m_f: speed of adaptation; each layer may have its own.
        form: ``exact`` or ``taylor`` (see ``snntb_adsnn.neuron.transfer``).
        gradient: ``bounded``, or ``exact`` for the derivative of the form itself (``frontends/torch/gradient.py``).
        **constants: the other fields of ``ASNParameters``.

    Raises:
        ParameterError: an unknown form or gradient, or constants that no neuron can have.
    """

    def __init__(self, m_f: float = 0.1, form: str = "exact", *, gradient: str = "bounded", **constants: float) -> None:
        super().__init__()
        if form not in FORMS:
            raise ParameterError(f"AAN has no form {form!r}: choose one of {', '.join(FORMS)} (relu is nn.ReLU).")
        if gradient not in GRADIENTS:
            raise ParameterError(f"AAN has no gradient {gradient!r}: choose one of {', '.join(GRADIENTS)}.")
        self.neuron = ASNParameters(m_f=m_f, **constants)
        self.form, self.gradient = form, gradient
        self.height = spike_height(self.neuron, form=form)
        self._arguments = (form, *self.neuron.as_dict().values(), gradient)

    def forward(self, S: torch.Tensor) -> torch.Tensor:
        """Outputs f(S) of potentials of any shape."""
        return OPERATOR(S, *self._arguments)

    def extra_repr(self) -> str:
        """The arguments, as ``print(model)`` shows them."""
        values = self.neuron.as_dict().items()
        return ", ".join([f"form={self.form!r}", *(f"{k}={v!r}" for k, v in values), f"gradient={self.gradient!r}"])
