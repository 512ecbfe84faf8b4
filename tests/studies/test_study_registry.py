"""The list of studies: a file of the folder is a command."""

import os
import subprocess
import sys

from snntb_adsnn.cli import cli
from snntb_adsnn.studies.registry import STUDIES, WORKERS, all_studies


def test_every_study_is_a_command_with_its_options():
    assert set(all_studies()) == {"sweep", "arousal", "precision"}
    for name, study in STUDIES.items():
        command = cli.commands[name]
        assert len(command.params) == len(study.options) + 1
        assert command.help == study.help
    assert STUDIES["sweep"].options == STUDIES["arousal"].options == WORKERS


STUDY = """
import click
from snntb_adsnn.studies.registry import study

@study("novel", click.option("--times", type=int, default=1), help="Something new about CONFIG.")
def run(config, *, times):
    print(times * config.paths.filename_ann)
"""


def test_a_new_study_is_one_file(tmp_path):
    (tmp_path / "novel.py").write_text(STUDY)
    (tmp_path / "c.ini").write_text("[paths]\nfilename_ann = net\n")
    program = (
        f"import sys, snntb_adsnn.studies\nsnntb_adsnn.studies.__path__.append({str(tmp_path)!r})\n"
        "from snntb_adsnn.cli import main\nmain()"
    )

    def call(*arguments):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    assert call("novel", str(tmp_path / "c.ini"), "--times", "2").stdout == "netnet\n"
    assert "Something new about CONFIG." in call("--help").stdout
    missing = call("novel", str(tmp_path / "none.ini"))
    assert missing.returncode == 2
    assert "no such configuration file" in missing.stderr
