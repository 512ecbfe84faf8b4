"""The command ``snntb-adsnn``. Heavy modules are imported by the commands that need them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from snntb_adsnn import __version__
from snntb_adsnn.ends import ending
from snntb_adsnn.errors import AdSNNError
from snntb_adsnn.files import check_writable
from snntb_adsnn.studies.registry import Study, all_studies

if TYPE_CHECKING:
    from snntb_adsnn.config import Config
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _writable(context: click.Context, option: click.Parameter, file: Path | None) -> Path | None:
    """Checked before any work: a result that cannot be written is lost. Nothing but figures is written over."""
    if file is None:
        return None
    check_writable(file)
    if file.is_file() and file.stat().st_size:
        with file.open("rb") as there:
            start = there.read(1)
        if start != b"{":
            raise AdSNNError(f"{file}: --json would write over this file, which holds no figures; name another file.")
    return file


def _json(name: str, text: str) -> Callable[[_Command], _Command]:
    return click.option("--json", name, type=click.Path(path_type=Path), callback=_writable, help=text)


_CONFIG = click.argument("config", type=click.Path(path_type=Path))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="snntb-adsnn")
def cli() -> None:
    """Adaptive Spiking Neural Networks: train, convert and simulate with SNN Toolbox."""


@cli.command()
@_CONFIG
def train(config: Path) -> None:
    """Train the network of CONFIG ([training]); write model, data and a log to its working folder."""
    from snntb_adsnn.config import load_config, naming
    from snntb_adsnn.run import need_initial

    settings = load_config(config)
    settings.need_training()
    settings.paths.need_writable()  # before TensorFlow is loaded, as what follows
    with settings.naming_folder():
        settings.need_training().data.state()
    need_initial(settings)
    from snntb_adsnn.training.train import train as run_training

    with naming(settings.file):
        result = run_training(settings)
    click.echo(
        f"Test accuracy {result.test_accuracy:.2%} on {result.test_images} inputs after {result.epochs} epochs; "
        f"model: {result.model_file}"
    )


@cli.command()
@_CONFIG
@_json("json_copy", "Put a copy of results.json there.")
@click.option("--scheduler", metavar="ADDRESS", help="Simulate batches on the cluster of this Dask scheduler.")
@click.option(
    "--workers", type=click.IntRange(min=1), help="Simulate batches in so many processes.  [default: in this one]"
)
def run(config: Path, json_copy: Path | None, **where: Any) -> None:
    """Convert and simulate the network of CONFIG in SNN Toolbox's own flow.

    With --workers or --scheduler, a run that was stopped goes on where it was.
    """
    from snntb_adsnn.config import load_config

    settings = load_config(config)  # mistakes show before TensorFlow is loaded
    from snntb_adsnn.toolbox import run as run_toolbox

    run_toolbox(settings, json_copy, **where)


def _study_command(name: str, study: Study) -> click.Command:
    def command(config: Path, **options: Any) -> None:
        from snntb_adsnn.config import load_config, naming

        settings = load_config(config)
        with naming(settings.file):
            study.run(settings, **options)

    for option in (*study.options, _CONFIG):
        command = option(command)
    return click.command(name, help=study.help)(command)


for _name, _study in all_studies().items():
    cli.add_command(_study_command(_name, _study))


@cli.command()
@click.argument("configs", metavar="[CONFIG]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--quick", is_flag=True, help="Few images and points: minutes.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder of the results.  [default: runs/paper]")
@click.option(
    "--docs", type=click.Path(path_type=Path), help="Write results.md there, too, with its pictures and data."
)
@click.option("--measured", type=click.Path(path_type=Path), help="Write from this measured.json; simulate nothing.")
def paper(configs: tuple[Path, ...], **options: Any) -> None:
    """Measure the paper's figures and tables anew: pictures, tables, one HTML page."""
    from snntb_adsnn.paper.command import run

    run(configs, **options)


@cli.command()
@click.argument("section", required=False)
def keys(section: str | None) -> None:
    """Show the keys of our sections of a configuration, or of SECTION (such as training, or one of SNN Toolbox's)."""
    from rich.console import Console
    from rich.table import Table

    from snntb_adsnn.config import SECTIONS
    from snntb_adsnn.config.messages import guess, short
    from snntb_adsnn.config.reference import about, keys_of, toolbox_keys, toolbox_sections

    name = None if section is None else section.strip("[]")
    if name is not None and name not in (known := (*SECTIONS, *toolbox_sections())):
        raise AdSNNError(
            f"there is no section {short(section)!r}{guess(name, known)}; choose one of {', '.join(known)}."
        )
    for one in SECTIONS if name is None else [name]:
        ours = one in SECTIONS
        title = about(SECTIONS[one]) if ours else "SNN Toolbox's own, with simulator adsnn."
        table = Table(title=f"[{one}] {title}".replace("[", "\\[", 1), title_justify="left")
        for column in ("key", "values", "default", "meaning"):
            table.add_column(column, overflow="fold")
        for key in keys_of(SECTIONS[one]) if ours else toolbox_keys(one):
            cells = (key.name, key.values, key.default, key.meaning)
            table.add_row(*(cell.replace("`", "").replace("[", "\\[") for cell in cells))
        Console().print(table, highlight=False)


@cli.command()
@_CONFIG
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder of the project.")
@click.option("--backend", type=click.Choice(["vitis", "vivado", "rtl"]), help="Instead of the one in [hls].")
@click.option(
    "--csim",
    default=5,
    show_default=True,
    type=click.IntRange(min=1),
    help="Images to run through the C++ and to compare.",
)
@_json("json_file", "Write the figures there.")
@click.option("--build", is_flag=True, help="Run the vendor's synthesis, and read its report.")
@click.option("--search", is_flag=True, help="Look for the smallest widths first.")
@click.option("--report", is_flag=True, help="Backend rtl: place it on an FPGA with open tools; size and speed.")
def hls(config: Path, report: bool, **options: Any) -> None:
    """Turn the network of CONFIG into an HLS or RTL project ([hls]) and compare it with the golden model."""
    from snntb_adsnn.config import load_config, naming

    settings = load_config(config)
    if (options["backend"] or settings.hls.backend) == "rtl":
        for unused in ("build", "search", "backend"):
            if options.pop(unused) and unused != "backend":
                raise AdSNNError(f"--{unused} is for the C++ backends; leave it out with the backend rtl.")
        _run_rtl("hls", settings, report=report, **options)
        return
    if report:
        raise AdSNNError("--report is for the backend rtl; add --backend rtl.")
    try:
        from adsnn_hls.commands.hls import main as run_hls
    except ImportError as error:
        raise AdSNNError(f"hls4ml is not installed ({error}); run: pip install 'snntb-adsnn[hls]'") from error
    with naming(settings.file):
        run_hls(config_file=settings, **options)


@cli.command()
@_CONFIG
@click.option("--images", default=20, show_default=True, type=click.IntRange(min=1), help="Test images to simulate.")
@click.option("--waves", is_flag=True, help="Write an FST file into the working folder (choose few images).")
@_json("json_file", "Write the figures there.")
def cosim(config: Path, **options: Any) -> None:
    """Simulate the RTL of CONFIG's network and compare every spike and decision with the golden model."""
    from snntb_adsnn.config import load_config

    _run_rtl("cosim", load_config(config), **options)


def _run_rtl(command: str, config: Config, **options: Any) -> None:
    from snntb_adsnn.config import naming

    try:
        from adsnn_hls.commands.rtl import main as run_command
    except ImportError as error:
        raise AdSNNError(f"hls4ml is not installed ({error}); run: pip install 'snntb-adsnn[hls,cosim]'") from error
    with naming(config.file):
        run_command(command, config_file=config, **options)


def main() -> None:
    """Entry point: 2 is the exit code of the user's mistakes, 130 of Ctrl-C, 143 of SIGTERM."""
    with ending("snntb-adsnn"):
        try:
            if "_SNNTB_ADSNN_COMPLETE" in os.environ:  # a shell asks how words may go on
                cli(prog_name="snntb-adsnn")
            # not cli(): for an interrupt it would write an empty line, and take an EOFError for one
            with cli.make_context("snntb-adsnn", sys.argv[1:]) as context:
                cli.invoke(context)
        except click.exceptions.Exit as end:
            sys.exit(end.exit_code)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:
            raise KeyboardInterrupt from None
        except KeyboardInterrupt:
            if sys.stderr.isatty():  # behind the ^C there
                print(file=sys.stderr)
            raise


if __name__ == "__main__":
    main()
