"""The page: one self-contained HTML file, and the same as Markdown for ``docs/results.md``."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snntb_adsnn.paper import tables
from snntb_adsnn.paper.tables import Table


@dataclass(frozen=True)
class Picture:
    """A picture file and what it shows."""

    file: Path
    caption: str


@dataclass(frozen=True)
class Section:
    """A heading, a few sentences, and what belongs to it."""

    title: str
    text: str
    parts: Sequence[Table | Picture]


TITLE = "Efficient Computation in Adaptive Artificial Spiking Neural Networks: measured anew"

INTRODUCTION = (
    "Every figure here was measured by `snntb-adsnn paper`; the data, `measured.json`, are beside the pictures. The "
    "paper is Zambrano, Nusselder, Scholte, Bohté, arXiv 1710.04838; its claims stand beside ours as far as its text "
    "gives them. FR: spikes per neuron per second, averaged over all neurons and test images, over the whole run "
    "(500 ms in the shipped configurations). MT: first time at which 99 % of the run's highest accuracy is reached. "
    "SD: standard deviation of the accuracy from MT to the end. Operating points are chosen on the test images, as the "
    "paper does; arousal is chosen on training images. CIFAR-10 (`docs/training.md`) and MNIST made "
    "for low rates (`docs/low-rate.md`) are not part of this command."
)
QUICK = (
    "This was a quick run: few images and few points. Its accuracies have the uncertainty of so few images; "
    "it shows that everything works, not how well."
)


def sections(measured: Mapping[str, Any], pictures: Mapping[str, Path]) -> list[Section]:
    """The page's content.

    Args:
        measured: see ``measure``.
        pictures: files by name; a picture that is not among them is left out.
    """
    return [
        Section("Summary", QUICK if measured["quick"] else "", [tables.claims(measured)]),
        *_of_single_neurons(measured, pictures),
        _of_operating_points(measured, pictures),
        _of_arousal(measured, pictures),
        _of_time_constants(measured, pictures),
    ]


def _picture(pictures: Mapping[str, Path], name: str, caption: str) -> list[Picture]:
    return [Picture(pictures[name], caption)] if name in pictures else []


def _of_single_neurons(measured: Mapping[str, Any], pictures: Mapping[str, Path]) -> list[Section]:
    precision = "Transfer functions; figure 1b: firing rate; figure 1c: precision of the decoded signal."
    return [
        Section(
            "Coding",
            "A neuron fires when its refractory response S_hat falls behind its potential S by half a threshold; its "
            "spikes, decoded by an exponential current, follow the transfer function of the input.",
            _picture(pictures, "coding_example", "Figure 1a: coding of a changing signal by one neuron."),
        ),
        Section(
            "Precision at equal transfer",
            "The spike height h scales with m_f so that f(1) = 1: every precision computes nearly the same "
            "function, with another number of spikes. The last column is the rate at which Poisson spikes "
            "through the same current would have the same mean and standard deviation: mean² / (2 tau_beta "
            "SD²).",
            [*_picture(pictures, "precision", precision), tables.precision(measured)],
        ),
    ]


def _of_operating_points(measured: Mapping[str, Any], pictures: Mapping[str, Path]) -> Section:
    against_m_f = "Figure 3a: accuracy relative to the ANN, and firing rate, against m_f."
    against_rate = "Accuracy against firing rate; dotted: the ANN; crosses: arousal."
    return Section(
        "Accuracy, firing rate, matching time",
        "Each network is simulated at a range of m_f (`[sweep]` of its configuration). On the small sets the "
        "accuracy moves by whole images: one is 2 points of IRIS and 1.4 points of SONAR. The paper's own cells are "
        "second-hand: a later author's comparison script names them.",
        [
            tables.matching(measured),
            tables.low_rate(measured),
            tables.published(),
            *_picture(pictures, "accuracy_m_f", against_m_f),
            *_picture(pictures, "accuracy_rate", against_rate),
        ],
    )


def _of_arousal(measured: Mapping[str, Any], pictures: Mapping[str, Path]) -> Section:
    thresholds: list[Picture] = []
    transients: list[Picture] = []
    for name in measured["sets"]:
        caption = f"Figures 3b and 3c, {name}: threshold and Selectivity against the accumulation time."
        thresholds += _picture(pictures, f"thresholds_{name}", caption)
        caption = f"SI figure 2, {name}: accuracy and firing rate around the switch."
        transients += _picture(pictures, f"arousal_{name}", caption)
    return Section(
        "Arousal",
        "Every image starts at low precision (the larger m_f). Images whose two highest outputs stay close switch to "
        "high precision in mid-run. All settings are chosen on training images. Three runs show what arousal must "
        "beat: the low precision alone, one fixed precision that spikes as much, and as many images switched at "
        "random.",
        [tables.arousal(measured), tables.laws(measured), *thresholds, *transients],
    )


def _of_time_constants(measured: Mapping[str, Any], pictures: Mapping[str, Path]) -> Section:
    return Section(
        "Time constants",
        f"The network {measured['time_constants']['set']} with other time constants tau_eta = tau_beta than the 50 ms "
        "it was trained with. Its transfer function changes with them, so its accuracy may.",
        _picture(pictures, "time_constants", "SI figure 1: time constants against latency (a) and firing rate (b)."),
    )


# ---- HTML ------------------------------------------------------------------------------------------------------------

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
table { border-collapse: collapse; margin: 1rem 0; font-size: .9rem; display: block; overflow-x: auto; }
caption { text-align: left; font-weight: bold; padding: .3rem 0; }
th, td { border: 1px solid #ddd; padding: .3rem .6rem; text-align: right; }
th:first-child, td:first-child { text-align: left; } th { background: #f3f3f3; }
tr.paper td { background: #fff8e1; font-style: italic; }
figure { margin: 1.5rem 0; } img { max-width: 100%; height: auto; } figcaption { font-size: .9rem; color: #555; }
code { background: #f3f3f3; padding: 0 .2rem; } footer { margin-top: 3rem; font-size: .85rem; color: #555; }
"""


def write_html(measured: Mapping[str, Any], content: Sequence[Section]) -> str:
    """One HTML file without any reference outside itself: pictures are in it."""
    body = []
    for section in content:
        body.append(f"<section><h2>{html.escape(section.title)}</h2>")
        if section.text:
            body.append(f"<p>{_inline(section.text)}</p>")
        body += [_html_table(p) if isinstance(p, Table) else _html_picture(p) for p in section.parts]
        body.append("</section>")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(TITLE)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head>\n<body><h1>{html.escape(TITLE)}</h1><p>{_inline(INTRODUCTION)}</p>\n"
        + "\n".join(body)
        + f"\n<footer>{html.escape(_versions(measured))}</footer></body></html>\n"
    )


def _inline(text: str) -> str:
    """Escaped, with `code` in backquotes."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in table.header)
    rows = "".join(
        f"<tr{' class=paper' if row[0].startswith('paper') else ''}>"
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in row)
        + "</tr>"
        for row in table.rows
    )
    caption = f"<caption>{html.escape(table.caption)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _html_picture(picture: Picture) -> str:
    data = base64.b64encode(picture.file.read_bytes()).decode()
    caption = html.escape(picture.caption)
    return (
        f'<figure><img alt="{caption}" src="data:image/png;base64,{data}"><figcaption>{caption}</figcaption></figure>'
    )


def _versions(measured: Mapping[str, Any]) -> str:
    return "Versions: " + ", ".join(f"{name} {version}" for name, version in measured["versions"].items()) + "."


# ---- Markdown --------------------------------------------------------------------------------------------------------


def write_markdown(measured: Mapping[str, Any], content: Sequence[Section], folder: Path) -> str:
    """The same for ``docs/results.md``; pictures are referred to relative to ``folder``."""
    lines = ["# Results", "", f"{INTRODUCTION} {_versions(measured)}", ""]
    for section in content:
        lines += [f"## {section.title}", ""]
        if section.text:
            lines += [section.text, ""]
        for part in section.parts:
            lines += _markdown_table(part) if isinstance(part, Table) else _markdown_picture(part, folder)
    return "\n".join(lines).rstrip() + "\n"


def _markdown_table(table: Table) -> list[str]:
    def row(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    marks = ["---", *["---:"] * (len(table.header) - 1)]
    return [f"**{table.caption}**", "", row(table.header), row(marks), *map(row, table.rows), ""]


def _markdown_picture(picture: Picture, folder: Path) -> list[str]:
    return [f"![{picture.caption}]({picture.file.relative_to(folder).as_posix()})", "", f"*{picture.caption}*", ""]
