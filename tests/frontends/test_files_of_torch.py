"""PyTorch's own files are refused by name; without PyTorch one sentence says what is missing. Needs no PyTorch."""

import subprocess
import sys

import pytest

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.frontends import convert


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "net.pt2"])
def test_files_are_refused_with_the_way_out(name, tmp_path):
    with pytest.raises(ConversionError, match=rf"{name}: PyTorch's own files are not read.*export_onnx"):
        convert(tmp_path / name, None)


def test_without_torch_the_package_is_named():
    program = (
        "import sys\nsys.modules['torch'] = None\nfrom snntb_adsnn.errors import AdSNNError\n"
        "try:\n    import snntb_adsnn.torch\nexcept AdSNNError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("PyTorch models need the package torch")
    assert "pip install 'snntb-adsnn[torch]'" in done.stdout
