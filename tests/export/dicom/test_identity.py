from __future__ import annotations

from jomed_app.export.dicom.identity import Identity
from jomed_app.export.dicom.study import read_study
from tests.export.finished_cases import finished, ultrasound_dicom


def test_uids_follow_from_what_was_found_and_where_it_is_filed():
    data = ultrasound_dicom()
    kept, _ = finished(data)
    first, again = Identity.of(kept), Identity.of(kept)
    filed = Identity.of(kept, read_study(data))
    assert first.uid("report") == again.uid("report")
    assert len({first.uid("report"), first.uid("capture"), filed.uid("report")}) == 3
    assert filed.study_uid == "1.2.3.4"
    assert first.study_uid.startswith("2.25.")
    assert max(len(first.uid(role)) for role in ("report", "study", "device")) <= 64
    other = kept.model_copy(update={"bundle_sha256": "c" * 64})
    assert Identity.of(other).uid("report") != first.uid("report")
