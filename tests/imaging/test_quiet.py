import logging
import threading
import warnings

from jomed_app.imaging import read_image
from jomed_app.imaging.quiet import quiet_decoding
from tests.imaging.datasets import dicom_bytes, gradient, make_dataset, to_bytes

CLEAN = dicom_bytes(gradient(16, 16))
LONG = make_dataset(gradient(16, 16))
LONG.PixelData += bytes(100)  # more than the header asks for
ODD = to_bytes(LONG)


def num_departures(data):
    checks = {check.name: check for check in read_image(data).info.checks}
    return checks["conformance"].value


def test_warnings_are_counted():
    assert num_departures(CLEAN) == 0
    assert num_departures(ODD) > 0
    with quiet_decoding() as caught:
        warnings.warn_explicit("DOE^JOHN", UserWarning, "f.py", 1, module="pydicom.valuerep")
    assert caught == [UserWarning]


def test_a_warning_is_charged_to_the_thread_that_gave_it():
    inside, done = threading.Barrier(2, timeout=30), threading.Barrier(2, timeout=30)
    counted = {}

    def decode(name, count):
        with quiet_decoding() as caught:
            inside.wait()
            for _ in range(count):
                warnings.warn_explicit("x", UserWarning, "f.py", 1, module="pydicom.valuerep")
            done.wait()
        counted[name] = len(caught)

    threads = [threading.Thread(target=decode, args=each) for each in (("odd", 3), ("clean", 0))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert counted == {"odd": 3, "clean": 0}


def test_a_warning_of_another_thread_is_not_taken():
    def warn():
        warnings.warn_explicit("theirs", UserWarning, "f.py", 1, module="pydicom.valuerep")

    other = threading.Thread(target=warn)
    with warnings.catch_warnings(record=True) as shown, quiet_decoding() as caught:
        other.start()
        other.join(timeout=30)
    assert [str(each.message) for each in shown] == ["theirs"]
    assert caught == []


def test_files_read_at_once_keep_their_counts():
    expected = {data: num_departures(data) for data in (CLEAN, ODD)}
    wrong, stop = [], threading.Event()

    def disturb():
        while not stop.is_set():
            warnings.warn_explicit("noise", DeprecationWarning, "f.py", 1, module="gradio")

    def read(data):
        for _ in range(30):
            if num_departures(data) != expected[data]:
                wrong.append(data)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        noise = threading.Thread(target=disturb)
        readers = [threading.Thread(target=read, args=(data,)) for data in (CLEAN, ODD, CLEAN)]
        for thread in (noise, *readers):
            thread.start()
        for thread in readers:
            thread.join(timeout=60)
        stop.set()
        noise.join(timeout=30)
    assert wrong == []
    assert not any(thread.is_alive() for thread in readers)


def test_nothing_stays_set(caplog):
    logger = logging.getLogger("pydicom")
    before = (list(warnings.filters), warnings.showwarning, logger.handlers, logger.propagate)
    with quiet_decoding(), quiet_decoding() as inner:
        logger.warning("DOE^JOHN")
    assert inner == []
    after = (list(warnings.filters), warnings.showwarning, logger.handlers, logger.propagate)
    assert after == before
    assert "DOE" not in caplog.text
