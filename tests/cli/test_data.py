"""`data list` and `data get` as a person types them."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from jomed_app.cli.main import main
from jomed_app.retrieval.manifest import read_manifest
from tests.data.archive.test_take import MARKS, table, write
from tests.data.fetch.layouts.test_layouts import kvasir
from tests.data.formats.boxed_images import draw_image

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.usefixtures("log_elsewhere")


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "Dataset_BUSI.zip"
    with zipfile.ZipFile(path, "w") as opened:
        for place, label in enumerate(("benign", "benign", "malignant"), start=1):
            image = tmp_path / f"{label} ({place}).png"
            draw_image(image, 40, 30, len(label))
            opened.write(image, f"Dataset_BUSI_with_GT/{label}/{image.name}")
    return path


def test_the_list_says_what_is_here_and_on_which_terms(tmp_path, archive, capsys):
    into = ["--into", str(tmp_path / "data")]
    assert main(["data", "get", "busi", "--accept-licence", "--from", str(archive), *into]) == 0
    said = capsys.readouterr().out
    assert "BUSI: 3 cases, licence: none stated" in said
    assert "2 have a near-duplicate" in said
    assert "index build --task breast --data" in said
    assert main(["data", "list", *into]) == 0
    listed = capsys.readouterr().out
    assert "[here, 3 cases]" in listed
    assert listed.count("licence:") == 11
    assert "ham10000" in listed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["busi"], "published under these terms"),
        (["busy", "--accept-licence"], "must be one of"),
        (["busi", "--accept-licence", "--from", "nowhere"], "found nothing there"),
        (["medpix2", "--accept-licence"], "fetched by a person"),
    ],
)
def test_a_wrong_wish_is_one_sentence_and_two(tmp_path, capsys, words, said):
    assert main(["data", "get", *words, "--into", str(tmp_path / "data")]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert said in error
    assert "Traceback" not in error


def test_what_was_got_is_indexed_once(tmp_path, archive, tiny_bundle, capsys):
    words = ["data", "get", "busi", "--accept-licence", "--from", str(archive),
             "--into", str(tmp_path / "data"), "--bundle", str(tiny_bundle),
             "--index", str(tmp_path / "index")]  # fmt: skip
    assert main(words) == 0
    manifest = read_manifest(tmp_path / "index")
    assert (manifest.name, manifest.count, manifest.simulated) == ("BUSI", 3, False)
    written = (tmp_path / "index" / "manifest.json").stat().st_mtime_ns
    capsys.readouterr()
    assert main(words) == 0
    assert "BUSI: indexed already, 3 cases." in capsys.readouterr().out
    assert (tmp_path / "index" / "manifest.json").stat().st_mtime_ns == written


def test_a_set_of_another_task_is_not_indexed(tmp_path, tiny_bundle, capsys):
    published = tmp_path / "published"
    published.mkdir()
    kvasir(published)
    words = ["data", "get", "kvasir_seg", "--accept-licence", "--from", str(published),
             "--into", str(tmp_path / "data"), "--bundle", str(tiny_bundle),
             "--index", str(tmp_path / "index")]  # fmt: skip
    assert main(words) == 2
    assert "must be of the bundle's task 'breast', found 'polyp'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ([], []),
        (["CASES=busi"], ["data get busi --index out/index/busi"]),
        (["CASES=busi", "LICENCE=accepted", "FROM=a.zip"], ["--accept-licence --from a.zip"]),
    ],
)
def test_the_demo_gets_and_indexes_what_it_is_told_to(variables, said):
    words = ["make", "-n", "-o", ".venv/.stamp-run", *variables, "demo"]
    made = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert "app.py" in made
    assert ("data get" in made) == bool(variables)
    for each in said:
        assert each in " ".join(made.replace("\\\n", " ").split())


def test_an_archive_is_taken_with_a_report(tmp_path, capsys):
    write(tmp_path / "in" / "a.dcm", 1, number="1")
    write(tmp_path / "in" / "b.dcm", 2, number="2", patient="2")
    write(tmp_path / "in" / "c.dcm", 3, number="3")
    labels = table(tmp_path / "l.csv", "file", ("a.dcm", "benign", "", ""),
                   ("b.dcm", "normal", "", ""))  # fmt: skip
    words = ["data", "take", str(tmp_path / "in"), "--labels", str(labels),
             "--key", str(tmp_path / "key"), "--out", str(tmp_path / "cases")]  # fmt: skip
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "2 cases of 2 patients from 3 files" in said
    assert "Left out: 1 (not in the table of labels)." in said
    assert main([*words, "--text", "show"]) == 2
    assert "must be one of ['mask', 'refuse'], found 'show'" in capsys.readouterr().err


def test_an_index_is_built_straight_from_an_archive(tmp_path, tiny_bundle, capsys):
    write(tmp_path / "in" / "a.dcm", 1, number="1")
    write(tmp_path / "in" / "b.dcm", 2, number="2", patient="2")
    labels = table(tmp_path / "l.csv", "file", ("a.dcm", "benign", "", ""),
                   ("b.dcm", "normal", "", ""))  # fmt: skip
    words = ["index", "build", "--from-dicom", str(tmp_path / "in"), "--bundle", str(tiny_bundle),
             "--out", str(tmp_path / "mine"), "--labels", str(labels)]  # fmt: skip
    assert main(words) == 2
    assert "requires --labels and --key" in capsys.readouterr().err
    assert main([*words, "--key", str(tmp_path / "key")]) == 0
    manifest = read_manifest(tmp_path / "mine")
    assert (manifest.count, manifest.source) == (2, "2 cases; source: mine")
    written = b"".join(path.read_bytes() for path in (tmp_path / "mine").rglob("*")
                       if path.is_file())  # fmt: skip
    assert not any(mark.encode() in written for mark in MARKS)
