"""The running picture of a case: it grows with every event and ends as the result."""

from __future__ import annotations

from jomed_app.imaging import read_image
from jomed_app.ui.protocol import info_of
from jomed_app.ui.reading import Reading, reading_of
from tests.ui.fake_engine import FakeEngine, FakeInfo, png_bytes


def test_it_grows_with_every_event_and_ends_as_the_result():
    image = read_image(png_bytes())
    reading, counts = Reading(info=image.info), []
    events = list(FakeEngine().run(image))
    for event in events[:-1]:
        reading = reading.after(event)
        counts.append(reading.num_read)
        assert reading.result is None
    assert counts == [0, 0, 1, 2, 3, 4, 4, 4]
    last = reading.after(events[-1])
    assert last == reading_of(events[-1].result)
    assert (last.final, last.boxes) == (reading.final, reading.boxes)


def test_a_search_without_figures_of_its_own_has_those_of_the_engine():
    other = FakeInfo(measured_on="30 others")
    assert info_of(FakeInfo(standard=other), "standard") is other
    both = FakeInfo(standard=other)
    assert info_of(both, "joint") is both
    alone = FakeInfo()
    assert info_of(alone, "standard") is alone
