from benchmarks.speed import decoding


def test_both_ways_are_measured_in_one_run(monkeypatch):
    small = dict(list(decoding.files().items())[:1])
    monkeypatch.setattr(decoding, "files", lambda: small)
    monkeypatch.setattr(decoding, "LARGE_SIDE", 64)
    result = decoding.measure(repeats=2)
    (figures,) = result["files"].values()
    assert set(figures) == {"in_process_ms", "worker_ms", "extra_ms"}
    assert figures["in_process_ms"]["median"] > 0
    assert result["extra_ms_median"] == figures["extra_ms"]["median"]
    assert result["beside_ms"]["p95"] >= result["beside_ms"]["median"] > 0
    assert result["kind"] == "decoder"
