from __future__ import annotations

import re

from jomed_app.export.kinds import KINDS
from jomed_app.ui.panels.diagnosis.save import SHOWN, Save
from jomed_app.ui.templates import render


def test_every_kind_but_the_encapsulated_page_is_a_button():
    html = render(Save())
    assert re.findall(r'data-save="([a-z]+)"', html) == list(SHOWN)
    assert set(KINDS) - set(SHOWN) == {"dicom-pdf"}
    assert [KINDS[name].title in html for name in SHOWN] == [True] * len(SHOWN)
