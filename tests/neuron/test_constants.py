"""One table of the neuron's constants: its class, keys of configurations and sweeps follow from it."""

import dataclasses
import subprocess
import sys

from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.constants import CONSTANTS, SETTABLE


def test_the_class_is_the_table():
    fields = {field.name: field.default for field in dataclasses.fields(ASNParameters)}
    assert list(fields.items()) == [(constant.name, constant.default) for constant in CONSTANTS]
    described = " ".join(ASNParameters.__doc__.split())
    for constant in CONSTANTS:
        assert f" {constant.name}: {constant.meaning}" in described
        if constant.factor:
            assert constant.unit == "ms"
            assert 0 < getattr(ASNParameters(), constant.factor) < 1


def test_a_constant_of_the_table_is_a_key_of_every_section_that_gives_constants():
    program = (
        "import snntb_adsnn.neuron.constants as table\n"
        "new = table.Constant('tau_new', 5.0, 'ms', meaning='something new')\n"
        "table.CONSTANTS += (new,)\ntable.SETTABLE += ('tau_new',)\n"
        "from snntb_adsnn.config import AdsnnSection, TrainingSection\n"
        "from snntb_adsnn.config.reference import keys_of\n"
        "from snntb_adsnn.toolbox.settings import SWEEPABLE\n"
        "print(AdsnnSection(tau_new=3).overrides, 'tau_new' in TrainingSection.model_fields, 'tau_new' in SWEEPABLE)\n"
        "print([key.meaning for key in keys_of(AdsnnSection) if key.name == 'tau_new'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "{'tau_new': 3.0} True True",
        "['something new, ms; in place of what the model was trained with.']",
    ]


def test_a_sweep_takes_the_constants_that_its_section_names():
    from snntb_adsnn.config.studies import SweepSection

    named = set(SETTABLE) & set(SweepSection.model_fields)
    assert named == {"tau_eta", "tau_beta"}
    assert list(SweepSection().constants()) == [{}]
    grid = list(SweepSection(tau_eta="30, 40", tau_beta="50").constants())
    assert grid == [{"tau_eta": 30, "tau_beta": 50}, {"tau_eta": 40, "tau_beta": 50}]
