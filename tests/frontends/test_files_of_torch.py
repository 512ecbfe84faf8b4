"""PyTorch's own files are refused by name; without PyTorch one sentence says what is missing. Needs no PyTorch."""

import subprocess
import sys

import pytest

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.frontends import convert
from snntb_adsnn.frontends.models import need


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "net.pt2"])
def test_files_are_refused_with_the_way_out(name, tmp_path):
    with pytest.raises(ConversionError, match=rf"{name}: PyTorch's own files are not read.*export_onnx"):
        convert(tmp_path / name, None)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("net.pt2", r"PyTorch's own files .* write torch.onnx.export\(.*, 'net.onnx'\)"),
        ("a.b.pth", r"a.b.pth: PyTorch's own files .*, 'a.b.onnx'\)\. Then write filename_ann = a.b.onnx"),
        (
            "net.tflite",
            r"TensorFlow's .tflite files .* -m tf2onnx.convert --tflite net.tflite --output net.onnx\. Then",
        ),
        ("net.pb", r"TensorFlow's .pb files .* --saved-model ITS_FOLDER --output net.onnx\. Then write filename_ann ="),
    ],
)
def test_a_configuration_that_names_such_a_file_is_told_to_export_it(name, says, tmp_path):
    with pytest.raises(ConversionError, match=says):
        need(tmp_path / name)


def test_without_torch_the_package_is_named():
    program = (
        "import sys\nsys.modules['torch'] = None\nfrom snntb_adsnn.errors import AdSNNError\n"
        "try:\n    import snntb_adsnn.torch\nexcept AdSNNError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("PyTorch models need the package torch")
    assert "pip install 'snntb-adsnn[torch]'" in done.stdout
