from __future__ import annotations

from types import SimpleNamespace

import pytest

from jomed_app.batch.files import content_key
from jomed_app.batch.folder import BatchFolder
from jomed_app.batch.reading import CaseTaker
from jomed_app.batch.settings import BatchSettings
from jomed_app.errors import DecodingEndedError, RemoteError
from tests.export.finished_cases import STUDY, AskedEngine, ultrasound_dicom
from tests.ui.fake_engine import png_bytes


@pytest.fixture
def taker(tmp_path):
    def make(kinds: tuple[str, ...] = (), **settings: object) -> CaseTaker:
        engine = AskedEngine()
        engine.info = SimpleNamespace(**vars(engine.info))
        folder = BatchFolder(tmp_path / "out")
        return CaseTaker(engine, BatchSettings(**settings), kinds, folder)

    return make


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "DOE_JOHN.png"
    path.write_bytes(png_bytes(3))
    return path


def test_a_file_is_read_once(taker, image):
    first, again = taker(), taker()
    outcome = first.take(image)
    assert (outcome.key, outcome.error, outcome.was_done) == (content_key(image), None, False)
    assert again.take(image).was_done
    assert (first.engine.num_runs, again.engine.num_runs) == (1, 0)


def test_exports_that_are_missing_are_made_without_the_model(taker, image):
    taker().take(image)
    later = taker(("json", "csv", "sc"))
    assert not later.take(image).was_done
    key = content_key(image)
    exports = sorted(path.name for path in (later.folder.place / "exports").iterdir())
    assert exports == [f"{key}.csv", f"{key}.sc.dcm"]
    assert later.engine.num_runs == 0
    assert later.take(image).was_done


def test_what_is_no_image_is_a_sentence_that_stays(taker, tmp_path):
    path = tmp_path / "DOE_JOHN.txt"
    path.write_bytes(b"no image at all")
    here = taker()
    first, again = here.take(path), here.take(path)
    assert "found another format" in first.error
    assert again.error == first.error
    assert (first.was_done, again.was_done) == (False, True)
    assert "DOE" not in first.error


def test_a_fault_of_ours_is_an_incident_and_is_tried_again(taker, image, caplog):
    here = taker()
    here.engine.fault = RuntimeError("patient DOE^JOHN")
    error = here.take(image).error
    assert error.startswith("something went wrong on our side; incident ")
    assert "DOE" not in error + caplog.text
    here.engine.fault = None
    assert here.take(image).error is None
    assert here.folder.failure(content_key(image)) is None


def test_a_file_that_took_too_long_is_tried_again(taker, image):
    here = taker()
    here.engine.fault = DecodingEndedError("an image must decode within 20 s; export it again")
    assert "within 20 s" in here.take(image).error
    here.engine.fault = None
    assert here.take(image).error is None


def test_what_would_stop_every_file_ends_the_run(taker, image):
    here = taker()
    here.engine.fault = RemoteError("the server must answer, found no answer; start it")
    with pytest.raises(RemoteError, match="the server must answer"):
        here.take(image)


def test_a_study_is_kept_where_asked_and_demanded_then(taker, image, tmp_path):
    source = tmp_path / "image.dcm"
    source.write_bytes(ultrasound_dicom())
    here = taker(("sr",), keep_study=True)
    assert here.take(source).error is None
    report = (here.folder.place / "exports" / f"{content_key(source)}.sr.dcm").read_bytes()
    assert STUDY["StudyInstanceUID"].encode() in report
    assert "requires a DICOM file" in here.take(image).error
    assert not here.folder.case_path(content_key(image)).exists()


def test_a_file_that_cannot_be_opened_has_no_key(taker, tmp_path):
    outcome = taker().take(tmp_path)
    assert outcome.key is None
    assert "found IsADirectoryError" in outcome.error
