"""`diagnose` with exports and of many images, and `replay`; with the stand-in of the engine."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from PIL import Image

from jomed_app.cli import main as cli
from jomed_app.export.kinds import KINDS
from jomed_app.export.saved import read_saved
from tests.export.finished_cases import HASHES, STUDY, AskedEngine, finished, ultrasound_dicom
from tests.ui.fake_engine import png_bytes

pytestmark = pytest.mark.usefixtures("log_elsewhere")


@pytest.fixture
def engine(stand_in):
    made = AskedEngine()
    made.info = SimpleNamespace(**vars(made.info), versions=finished()[0].result.versions)
    stand_in("jomed_app.inference.load", load_engine=lambda *_, **__: made)
    return made


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "DOE_JOHN.png"
    path.write_bytes(png_bytes(3))
    return path


def test_every_export_of_one_image_and_again_by_replay(engine, image, tmp_path, capsys):
    out, again = tmp_path / "out", tmp_path / "again"
    words = ["--invert", "--region", "10,20,400,300", "--anyway", "--export", "all"]
    assert cli.main(["diagnose", str(image), *words, "--out", str(out)]) == 0
    files = {f"case{kind.suffix}" for kind in KINDS.values()}
    assert {path.name for path in out.iterdir()} == files | {"result.json"}
    assert read_saved(out / "case.json").bundle_sha256 == HASHES["bundle"]
    replayed = ["replay", str(out / "case.json"), "--image", str(image), "--out"]
    assert cli.main([*replayed, str(again)]) == 0
    for name in files:
        assert (again / name).read_bytes() == (out / name).read_bytes(), name
    assert capsys.readouterr().out.count("written: case.") == len(KINDS)
    assert cli.main([*replayed, str(out)]) == 0
    assert capsys.readouterr().out.count("the same: case.") == len(KINDS)
    assert engine.num_runs == 1


def test_replay_names_what_differs(engine, image, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(["diagnose", str(image), "--export", "json,png", "--out", str(out)]) == 0
    (out / "case.png").write_bytes(b"another")
    saved = str(out / "case.json")
    capsys.readouterr()
    replay = ["replay", saved, "--out", str(out)]
    assert cli.main([*replay, "--image", str(image), "--export", "json,png"]) == 2
    assert "found other bytes in case.png, which were left as they are" in capsys.readouterr().err
    other = tmp_path / "other.png"
    Image.open(image).rotate(180).save(other)
    assert cli.main([*replay, "--image", str(other)]) == 2
    assert "found another hash of its pixels" in capsys.readouterr().err


def test_replay_without_the_picture_makes_what_needs_none(engine, image, tmp_path, capsys):
    out, again = tmp_path / "out", tmp_path / "again"
    assert cli.main(["diagnose", str(image), "--export", "json,csv", "--out", str(out)]) == 0
    replay = ["replay", str(out / "case.json"), "--out", str(again)]
    assert cli.main([*replay, "--export", "csv"]) == 0
    assert (again / "case.csv").read_bytes() == (out / "case.csv").read_bytes()
    capsys.readouterr()
    for words, complaint in (
        ([], "replay requires the picture for all exports but json and csv"),
        (["--export", "csv", "--keep-study"], "--keep-study requires --image FILE"),
        (["--export", "csv,sr", "--keep-study", "--image", str(image)], "without a study"),
        (["--export", "csv", "--keep-study", "--image", str(image)], "requires a DICOM export"),
        (["--export", "xls"], "found 'xls'"),
    ):
        assert cli.main([*replay, *words]) == 2
        captured = capsys.readouterr()
        assert complaint in captured.err
        assert captured.err.count("\n") == 1


def test_a_study_is_named_at_an_explicit_wish_alone(engine, tmp_path):
    source = tmp_path / "image.dcm"
    source.write_bytes(ultrasound_dicom())
    for out, words in (("plain", []), ("filed", ["--keep-study"])):
        place = str(tmp_path / out)
        assert cli.main(["diagnose", str(source), "--export", "all", "--out", place, *words]) == 0
    marks = [STUDY["PatientID"].encode(), STUDY["StudyInstanceUID"].encode()]
    for path in (tmp_path / "plain").iterdir():
        content = path.read_bytes()
        assert STUDY["PatientBirthDate"].encode() not in content, path.name
        assert "Müller".encode() not in content, path.name
    for suffix in (".sr.dcm", ".sc.dcm", ".pdf.dcm"):
        content = (tmp_path / "filed" / f"case{suffix}").read_bytes()
        assert all(mark in content for mark in marks)
    for name in ("case.json", "case.csv", "case.png", "case.pdf", "result.json"):
        content = (tmp_path / "filed" / name).read_bytes()
        assert STUDY["PatientBirthDate"].encode() not in content, name


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--export", "pdf"], "--export requires --out DIR"),
        (["--export", "docx", "--out", "out"], "found 'docx'"),
        (["--keep-study", "--out", "out"], "--keep-study requires a DICOM export"),
        (["FOLDER"], "many images require --out DIR"),
        (["FOLDER", "--out", "out", "--json"], "many images require --out DIR"),
        (["ABSENT"], "IMAGE must be an existing file, found none"),
    ],
)
def test_bad_input_is_one_line(engine, image, tmp_path, monkeypatch, capsys, words, complaint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FOLDER").mkdir()
    assert cli.main(["diagnose", str(image), *words]) == 2
    captured = capsys.readouterr()
    assert complaint in captured.err
    assert captured.err.count("\n") == 1
    assert engine.num_runs == 0


def test_several_files_go_into_tables_with_their_names_if_asked(engine, image, tmp_path, capsys):
    other = tmp_path / "other.png"
    other.write_bytes(png_bytes(4))
    out = tmp_path / "out"
    assert cli.main(["diagnose", str(image), str(other), "--out", str(out), "--names"]) == 0
    captured = capsys.readouterr()
    assert "2 files, 0 done before" in captured.out
    assert "diagnose" in captured.err, "progress goes to stderr"
    assert "DOE_JOHN.png" in (out / "results.csv").read_text(encoding="utf-8")
    assert len(list((out / "cases").iterdir())) == 2


def test_where_nothing_can_be_read_it_is_bad_input(engine, tmp_path, capsys):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "notes.txt").write_text("x", encoding="utf-8")
    assert cli.main(["diagnose", str(folder), "--out", str(tmp_path / "out")]) == 2
    assert "the column 'error' of results.csv says why" in capsys.readouterr().err
