"""The paper's figures and tables: single neurons against theory, tables against what was measured, the page."""

import base64
import copy
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from study_jobs import small_subject

from snntb_adsnn import cli
from snntb_adsnn.config import load_config
from snntb_adsnn.errors import ConfigError, DataError, NoMistakesError
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.transfer import equilibrium_interval, spike_height, transfer
from snntb_adsnn.paper import coding, command, figures, measure, page, record, tables
from snntb_adsnn.paper.command import draw
from snntb_adsnn.report import study_plots
from snntb_adsnn.studies.arousal import at_random

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "configs" / "models"

# ---- single neurons --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("m_f", [0.1, 0.4])
def test_neurons_at_constant_input_follow_theory(m_f):
    S = np.array([m_f / 4, 0.6, 1.0, 1.6])  # the first is inside the silent zone
    found = coding.at_constant_input(m_f, S)
    p = ASNParameters(m_f=m_f)
    assert found["rate_hz"][0] == found["sd"][0] == found["poisson_rate_hz"][0] == 0
    np.testing.assert_allclose(found["rate_hz"][1:], 1000 / equilibrium_interval(S[1:], p), rtol=0.03)
    np.testing.assert_allclose(found["mean"], transfer(S, p), rtol=0.03)
    # a decaying exponential between jumps of h is nearly a sawtooth of height h
    np.testing.assert_allclose(found["sd"][1:], spike_height(p) / np.sqrt(12), rtol=0.05)


def test_the_poisson_rate_is_that_of_simulated_poisson_spikes():
    found = coding.at_constant_input(0.4, np.array([1.0]))
    p, rate = ASNParameters(m_f=0.4), found["poisson_rate_hz"][0] / 1000
    spikes = np.random.default_rng(0).poisson(rate, 400_000).astype(float)
    current, decoded = 0.0, []
    for count in spikes:
        current = p.k_beta * current + count
        decoded.append(current)
    settled = np.array(decoded[1000:])
    assert settled.std() / settled.mean() == pytest.approx(found["sd"][0] / found["mean"][0], rel=0.05)


def test_the_example_decodes_to_the_transfer_function():
    run = coding.example()
    assert np.mean(run["decoded"][150:200]) == pytest.approx(run["encoded"][199], rel=0.05)
    assert len(run["spikes"]) == int((np.diff(run["decoded"]) > 0).sum())


# ---- tables ----------------------------------------------------------------------------------------------------------


def run_figures(**changes):
    figures = {
        **{"snn_accuracy": 0.95, "ann_accuracy": 0.95, "firing_rate_hz": 20.0, "matching_time_ms": 100.0},
        **{"accuracy_sd": 0.001, "spikes_per_neuron_at_mt": 2.0, "m_f": 0.2, "num_images": 40, "dt_ms": 1.0},
        **{"tau_eta": 50.0, "tau_beta": 50.0, "form": "exact", "duration_ms": 5.0, "transfer_change": 0.0},
        "accuracy_interval": [0.9, 0.98],
        "accuracy_over_time": [0.2, 0.5, 0.9, 0.95, 0.95],
        "firing_rate_over_time_hz": [90.0, 20.0, 10.0, 10.0, 10.0],
    }
    return {**figures, **changes}


def trial(**changes):
    window = {"waiting_time_ms": 2.0, "accumulation_time_ms": 1.0, "quantile": 0.9, "threshold": 0.5}
    return run_figures(m_f_low="0.8", m_f_high="0.2", selectivity=0.25, wrong_switched=0.0, **window, **changes)


@pytest.fixture
def measured():
    points = [
        run_figures(m_f=0.1, firing_rate_hz=40.0),
        run_figures(m_f=0.2),
        run_figures(m_f=0.4, firing_rate_hz=12.0, snn_accuracy=0.946, matching_time_ms=150.0),
        run_figures(m_f=0.8, firing_rate_hz=8.0, snn_accuracy=0.7),
    ]
    swept = {"points": points, "ann_accuracy": 0.95, "tolerance": 0.1, "low_rate_loss": 0.5}
    fitted = {"r2": 0.95, "slope_per_ms": 0.01, "intercept": 0.2, "rate_per_ms": -0.02, "at_0": 0.3}
    rows = [{"accumulation_time_ms": t, "threshold": 0.2 + t / 100, "selectivity": 0.3 - t / 200} for t in (5.0, 10.0)]
    aroused = {
        "chosen": trial(firing_rate_hz=11.0),
        "low": points[3],
        "high": points[1],
        "fixed": run_figures(m_f=0.5, firing_rate_hz=11.0, snn_accuracy=0.93),
        "random": at_random(points[3], points[1], 0.25),
        "trials": [{"m_f_low": "0.8", "m_f_high": "0.2", "snn_accuracy": 0.95, "firing_rate_hz": 11.0}],
        "laws": {**dict.fromkeys(("threshold_line", "selectivity_exponential"), fitted), "points": rows,
                 "waiting_time_ms": 2.0, "quantile": 0.9},
        **{"ann_accuracy": 0.95, "calibration_images": 100, "tolerance": 0.1},
    }  # fmt: skip
    entry = {"config": "net.ini", "dataset": "iris", "images": 40, "neurons": 10, "trained_m_f": 0.2}
    return {
        "quick": False,
        "coding": {"example": coding.example(), "precision": [coding.at_constant_input(0.2, np.linspace(0, 2, 5))]},
        "sets": {"net": {**entry, "sweep": swept, "arousal": aroused}},
        "time_constants": {"set": "net", "points": [run_figures(tau_eta=20.0), run_figures()]},
        "versions": {"python": "3"},
    }


PAYS = "Arousal is as accurate as the high precision, and the low precision alone is not"
OF_HIGH = "... at a rate over the high precision's"


def test_the_tables_hold_the_operating_points(measured):
    assert tables.matching(measured).rows[1] == [
        *("net (40)", "95.00 %", "95.00 %", "20.0", "100", "0.10 %", "2.00", "0.2"),
    ]
    assert tables.low_rate(measured).rows[1][3:5] == ["12.0", "150"]
    rows = tables.arousal(measured).rows
    assert rows[3] == [
        *("", "arousal, m_f 0.8 to 0.2", "95.00 %", "90.00 to 98.00", "11.0", "100", "25.00 %", "2.00", "0.55"),
    ]
    assert rows[4][1:3] == ["fixed, same rate, m_f 0.5", "93.00 %"]
    # a quarter of the images as at high precision, the others as at low: 0.25 * 0.95 + 0.75 * 0.7 at 11 Hz
    assert rows[5][1:5] == ["random switching", "76.25 %", "61.14 to 86.75", "11.0"]
    assert tables.laws(measured).rows[1] == ["net", "+0.0100", "0.95", "-2.00 %", "0.95", "yes"]
    claims = {row[0]: row[2:] for row in tables.claims(measured).rows}
    assert claims["... at an average firing rate of (Hz)"] == ["20.0 to 20.0", "yes"]
    assert claims[PAYS] == ["1 of 1 sets", "yes"]
    assert claims[OF_HIGH] == ["0.55 to 0.55", "yes"]


@pytest.mark.parametrize("table", [tables.matching, tables.low_rate, tables.arousal, tables.precision])
def test_the_papers_claim_stands_in_every_table(measured, table):
    found = table(measured)
    assert found.rows[0][0].startswith("paper")
    assert any(found.rows[0][1:])
    assert not any(row[0].startswith("paper") for row in found.rows[1:])
    cells = [row for row in found.rows if row[0] == "MNIST in the paper"]
    assert len(cells) == (table in (tables.matching, tables.low_rate))
    assert all(row[2:5] in (["99.56 %", "67", "291"], ["99.12 %", "10", "209"]) for row in cells)
    assert {len(row) for row in found.rows} == {len(found.header)}


def test_captions_name_the_tolerances_of_all_sets(measured):
    assert tables.matching(measured).caption.endswith("(at most 0.1 points below it)")
    other = copy.deepcopy(measured["sets"]["net"])
    other["sweep"].update(tolerance=0.05, low_rate_loss=10)
    measured["sets"]["other"] = other
    assert tables.matching(measured).caption.endswith("(at most 0.05 to 0.1 points below it)")
    assert tables.low_rate(measured).caption.endswith("(at most 0.5 to 10 points, or one image, below the ANN)")


def test_a_set_whose_low_precision_is_as_accurate_does_not_count_for_arousal(measured):
    measured["sets"]["net"]["arousal"]["low"] = run_figures(firing_rate_hz=8.0)
    rows = {row[0]: row[2:] for row in tables.claims(measured).rows}
    assert rows[PAYS] == ["0 of 1 sets", "no"]
    assert rows[OF_HIGH] == ["none", "no"]


def test_a_claim_that_is_not_met_is_not_called_met(measured):
    bad = copy.deepcopy(measured)
    entry = bad["sets"]["net"]
    entry["arousal"]["chosen"] = trial(firing_rate_hz=9.0, snn_accuracy=0.9)
    for point in entry["sweep"]["points"]:
        point["firing_rate_hz"] += 60
        point["matching_time_ms"] += 300
    rows = tables.claims(bad).rows
    assert [row[-1] for row in rows] == ["yes", *["no"] * 6]
    entry["sweep"]["ann_accuracy"] = 0.99
    rows = tables.claims(bad).rows
    assert [row[-1] for row in rows] == ["no"] * 7
    assert rows[1][2] == "none"
    assert tables.matching(bad).rows[1][2] == "none in the grid"
    assert tables.arousal(bad).rows[3][2] == "90.00 %"


# ---- the page --------------------------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Tags in balance, pictures, table cells, and whatever points outside."""

    VOID = ("meta", "img", "br")

    def __init__(self, text):
        super().__init__()
        self.stack, self.images, self.cells, self.outside = [], [], [], []
        self.feed(text)
        assert self.stack == []

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.stack.append(tag)
        if tag == "td":
            self.cells.append("")
        for name, value in attributes:
            if name in ("src", "href", "srcset", "data", "action"):
                self.images.append(value)
                if not value.startswith("data:image/png;base64,"):
                    self.outside.append(value)
        if tag in ("link", "script", "iframe", "object"):
            self.outside.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if "td" in self.stack:
            self.cells[-1] += data
        if "style" in self.stack:
            assert "url(" not in data
            assert "@import" not in data


def check_page(text, pictures):
    read = Reader(text)
    assert read.outside == []
    assert len(read.images) == pictures
    for image in read.images:
        assert base64.b64decode(image.split(",")[1])[:8] == b"\x89PNG\r\n\x1a\n"
    return read


def test_the_page_is_self_contained_and_says_what_was_measured(measured, tmp_path):
    measured["sets"]["<&>"] = measured["sets"].pop("net")  # names are text, not markup
    pictures = draw(measured, tmp_path / "pictures")
    assert len(pictures) == 7
    content = page.sections(measured, pictures)
    read = check_page(page.write_html(measured, content), 7)
    assert "<&> (40)" in read.cells
    assert "24 to 68" in read.cells
    assert "20.0" in read.cells
    markdown = page.write_markdown(measured, content, tmp_path)
    for file in re.findall(r"!\[.*?\]\((.*?)\)", markdown):
        assert (tmp_path / file).is_file()
    assert "| paper, all sets |  | = ANN | 24 to 68 | about 300 |" in markdown
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in markdown.splitlines() if line.startswith("| iris")}
    assert len(widths) <= 1


def test_the_introduction_says_where_the_other_figures_are():
    files = re.findall(r"`(docs/.*?)`", page.INTRODUCTION)
    assert files == ["docs/training.md", "docs/low-rate.md"]
    assert "CIFAR-10" in (ROOT / files[0]).read_text()
    assert "Low firing rates" in (ROOT / files[1]).read_text()


def test_no_curve_leaves_the_picture_of_arousal_at_the_top(measured):
    """An accuracy in mid-run may be above that of the end."""
    measured["sets"]["net"]["arousal"]["high"] = run_figures(accuracy_over_time=[0.2, 0.5, 0.99, 0.95, 0.95])
    (accuracies, _) = study_plots.transient(measure.arousal_of(measured["sets"]["net"])).axes
    assert max(max(line.get_ydata()) for line in accuracies.lines) == 99 < accuracies.get_ylim()[1] <= 100
    plt.close("all")


def test_a_set_without_arousal_has_no_row_and_no_picture(measured, tmp_path):
    measured["sets"]["net"]["arousal"] = None
    assert len(draw(measured, tmp_path)) == 5
    assert len(tables.arousal(measured).rows) == 1
    assert tables.claims(measured).rows[-1][2:] == ["none", "no"]


# ---- the record ------------------------------------------------------------------------------------------------------


def test_the_record_holds_all_that_tables_and_pictures_show(measured, tmp_path):
    text = record.as_text(record.reduce(measured))
    (tmp_path / "measured.json").write_text(text)
    kept = record.read(tmp_path / "measured.json")
    assert record.as_text(kept) == text
    assert command.markdown(kept, tmp_path, tmp_path) == command.markdown(measured, tmp_path, tmp_path)
    whole, reduced = draw(measured, tmp_path / "whole"), draw(kept, tmp_path / "kept")
    for name, file in whole.items():  # the last digits move the shades of a few edges
        np.testing.assert_allclose(plt.imread(reduced[name]), plt.imread(file), atol=0.03, err_msg=name)
    assert text.count("accuracy_over_time") == 3
    assert "1.23456789" not in record.as_text(record.reduce({**measured, "coding": [1.23456789]}))


def test_a_record_without_laws_or_arousal_draws_the_others(measured):
    measured["sets"]["net"]["arousal"]["laws"] = measured["sets"]["net"]["arousal"]["fixed"] = None
    assert len(command._figures(record.reduce(measured))) == 6
    measured["sets"]["net"]["arousal"] = None
    assert len(command._figures(record.reduce(measured))) == 5


@pytest.mark.parametrize("content", [None, "{", "[]", '{"quick": true}'])
def test_a_file_that_is_no_record_is_refused(tmp_path, content):
    file = tmp_path / "measured.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(DataError, match=r"measured.json"):
        command.run(measured=file, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [{"quick": True}, {"configs": [Path("iris.ini")]}])
def test_a_record_is_not_mixed_with_measurements(tmp_path, options):
    with pytest.raises(ConfigError, match="leave out configurations and --quick"):
        command.run(measured=tmp_path / "measured.json", output=tmp_path, **options)


def test_the_committed_results_are_written_from_the_committed_record():
    """To mend it: ``snntb-adsnn paper --measured docs/results/measured.json --docs docs``."""
    docs, pictures = ROOT / "docs", ROOT / "docs" / "results"
    measured = record.read(pictures / "measured.json")
    written = command.markdown(measured, docs, pictures)
    assert written.encode() == (docs / "results.md").read_bytes()
    shown = set(re.findall(r"!\[.*?\]\(results/(.*?)\)", written))
    assert shown == {file.name for file in pictures.glob("*.png")}
    assert list(measured["sets"]) == list(command.SETS)
    assert not measured["quick"]
    assert (pictures / "measured.json").read_text() == record.as_text(measured)
    assert (pictures / "measured.json").stat().st_size < 300_000


# ---- the command -----------------------------------------------------------------------------------------------------

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)

PROBE = """<script>addEventListener('load', () => {
  const images = [...document.images];
  const tables = [...document.querySelectorAll('table')];
  document.body.dataset.found = [
    images.filter(i => i.complete && i.naturalWidth > 100).length,
    tables.filter(t => t.getBoundingClientRect().height > 30).length,
    performance.getEntriesByType('resource').filter(r => !r.name.startsWith('data:')).length,
    document.documentElement.scrollWidth <= innerWidth,
  ].join(' ');
});</script></body>"""


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory):
    """IRIS with few points; returns the output folder and the docs folder."""
    folder = tmp_path_factory.mktemp("paper")
    (folder / "small.ini").write_text(
        "[paths]\npath_wd = run\ndataset_path = data\nfilename_ann = iris\n"
        "[simulation]\nsimulator = adsnn\nduration = 300\nnum_to_test = 50\nbatch_size = 50\n"
        f"[adsnn]\npretrained = {MODELS}/iris.h5\n"
        "[training]\ndataset = iris\narchitecture = iris\nvalidation_split = 0.2\nseed = 1\n"
        "[arousal]\nm_f_low = 0.8\naccumulation_time = 10, 50\n"
    )
    output, docs = folder / "out", folder / "docs"
    arguments = ["paper", str(folder / "small.ini"), "--quick", "--output", str(output), "--docs", str(docs)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["snntb-adsnn", *arguments])
        cli.main()
    return output, docs


def test_a_quick_run_ends_with_a_page_and_documents(quick_run):
    output, docs = quick_run
    read = check_page((output / "paper.html").read_text(), 7)
    assert "small (50)" in read.cells
    measured = json.loads((output / "measured.json").read_text())
    assert [p["tau_eta"] for p in measured["time_constants"]["points"]] == [20, 35, 50, 75, 100]
    assert (output / "measured.json").read_bytes() == (docs / "results" / "measured.json").read_bytes()
    for folder in (output, docs):
        files = re.findall(r"!\[.*?\]\((.*?)\)", (folder / "results.md").read_text())
        assert len(files) == 7
        assert all((folder / file).is_file() for file in files)


def test_a_run_is_written_anew_from_its_record(quick_run, tmp_path, monkeypatch):
    output, docs = quick_run
    arguments = ["--measured", str(docs / "results" / "measured.json"), "--output", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["snntb-adsnn", "paper", *arguments, "--docs", str(tmp_path / "docs")])
    monkeypatch.setattr(command, "measure", None)  # nothing is simulated
    cli.main()
    for old, new in ((output, tmp_path / "out"), (docs, tmp_path / "docs")):
        names = sorted(str(file.relative_to(old)) for file in old.rglob("*") if file.is_file())
        assert len(names) >= 9
        assert names == sorted(str(file.relative_to(new)) for file in new.rglob("*") if file.is_file())
        assert all((old / name).read_bytes() == (new / name).read_bytes() for name in names)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH (Debian: apt-get install chromium)")
@pytest.mark.parametrize("broken", [False, True])
def test_a_browser_shows_the_page(quick_run, tmp_path, broken):
    """The browser itself counts pictures and tables that it shows, and what it fetched from elsewhere."""
    text = (quick_run[0] / "paper.html").read_text()
    if broken:
        text = text.replace("data:image/png;base64,", "picture.png?", 1)
    (tmp_path / "probe.html").write_text(text.replace("</body>", PROBE))
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1100,900", "--dump-dom"]
    shown = subprocess.run(
        [*command, f"--user-data-dir={tmp_path}/profile", (tmp_path / "probe.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    images, tables_shown, fetched, fits = re.search(r'data-found="(.*?)"', shown.stdout).group(1).split()
    assert (int(tables_shown), fits) == (text.count("<table>"), "true")
    assert (int(images), int(fetched)) == (6 if broken else 7, 0)  # what cannot be fetched is not counted


def test_two_configurations_of_one_name_are_refused_before_work_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "load", lambda *_: pytest.fail("work has started"))
    configs = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "net.ini").write_text("[paths]\nfilename_ann = net\n")
        configs.append(load_config(tmp_path / folder / "net.ini"))
    with pytest.raises(ConfigError, match=r"a/net.ini and .*b/net.ini are both named 'net'.*rename one"):
        measure.measure(configs, quick=True)


def test_arousal_is_left_out_for_want_of_mistakes_only(tmp_path, monkeypatch):
    (tmp_path / "net.ini").write_text(
        "[paths]\nfilename_ann = net\n[adsnn]\n[arousal]\nm_f_low = 0.8\n[sweep]\nm_f = 0.2\n"
    )
    config, subject = load_config(tmp_path / "net.ini"), small_subject(images=4, duration=20.0)
    monkeypatch.setattr(measure, "load", lambda *_, **__: SimpleNamespace(need_files=lambda **_: None))
    monkeypatch.setattr(measure.Subject, "of", lambda *_: subject)
    monkeypatch.setattr(measure, "TAU", (50.0,))

    def fail(error):
        def arouse(*_):
            raise error

        monkeypatch.setattr(measure.arousal, "arouse", arouse)

    fail(NoMistakesError("all are right."))
    with pytest.warns(UserWarning, match=r"net: no arousal \(all are right"):
        assert measure.measure([config], quick=False)["sets"]["net"]["arousal"] is None
    fail(DataError("the images are missing."))
    with pytest.raises(DataError, match="images are missing"):
        measure.measure([config], quick=False)


def test_shipped_configurations_are_found_or_named(tmp_path, monkeypatch):
    assert [file.name for file in measure.find_configs(["iris", "mnist"])] == ["iris.ini", "mnist.ini"]
    with pytest.raises(DataError, match=r"no configs/moon.ini here"):
        measure.find_configs(["iris", "moon"])


def test_the_front_shows_every_net_of_a_data_set(measured):
    better = copy.deepcopy(measured["sets"]["net"])
    for point in better["sweep"]["points"]:
        point["snn_accuracy"] = 0.5 * point["snn_accuracy"] + 0.5
    better["sweep"]["ann_accuracy"] = 0.99
    for order in (("net", "better"), ("better", "net")):
        both = {"net": measured["sets"]["net"], "better": better}
        figure = figures.accuracy_against_rate({**measured, "sets": {name: both[name] for name in order}})
        (axes,) = (axes for axes in figure.axes if axes.get_title() == "iris")
        low, high = axes.get_ylim()
        best = 99.0
        assert low == pytest.approx(best - 12)  # the worst point, at 70 %, is cut off
        assert high > best
        plt.close(figure)


def test_a_network_without_spikes_has_no_shares(measured):
    for name in ("low", "high"):
        measured["sets"]["net"]["arousal"][name]["firing_rate_hz"] = 0.0
    assert {row[-1] for row in tables.arousal(measured).rows[1:]} == {""}
    assert tables.claims(measured).rows[-1][2:] == ["none", "no"]


def test_other_figures_in_the_default_folder_are_not_written_over(measured, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "theirs.json"
    file.write_text(record.as_text(measured))
    there = tmp_path / command.OUTPUT / "measured.json"
    there.parent.mkdir(parents=True)
    there.write_text(record.as_text({**measured, "quick": not measured["quick"]}))
    before = there.read_bytes()
    with pytest.raises(ConfigError, match=r"runs/paper/measured.json holds other figures .* --output"):
        command.run((), measured=file)
    assert there.read_bytes() == before
    assert list(there.parent.iterdir()) == [there]
    there.write_text(file.read_text())
    monkeypatch.setattr(command, "draw", lambda data, folder: {})
    monkeypatch.setattr(command.page, "write_html", lambda *_: "page")
    assert command.run((), measured=file).read_text() == "page"  # the same figures may be written anew


def test_measured_data_of_another_version_are_refused(measured, tmp_path):
    for point in measured["sets"]["net"]["sweep"]["points"]:
        point.pop("matching_time_ms", None)
    file = tmp_path / "measured.json"
    file.write_text(record.as_text(measured))
    with pytest.raises(DataError, match=r"measured.json: lacks what the tables show \(KeyError\('matching_time_ms"):
        command.run((), quick=False, output=tmp_path / "out", docs=None, measured=file)
    assert not (tmp_path / "out").exists()
