from __future__ import annotations

import numpy as np

from jomed_app.imaging import read_image
from jomed_app.imaging.content.shared import shared_pixels
from tests.export.finished_cases import labelled_png


def test_the_text_of_a_region_goes_and_the_rest_of_it_stays():
    image = read_image(labelled_png(1), region=(10, 100, 470, 350))
    shown = shared_pixels(image)
    assert shown.shape == image.model_input.shape == (250, 460, 3)
    assert np.array_equal(shown[:160], image.model_input[:160])
    assert (image.model_input[185:215] > 200).any()
    assert not (shown[185:215] > 200).any()
