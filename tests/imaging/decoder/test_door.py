import pytest

from jomed_app.config import AppConfig
from jomed_app.errors import ImageError
from jomed_app.imaging import read_image
from jomed_app.imaging.decoder import decoder_pool, door, read_untrusted
from tests.imaging.datasets import dicom_bytes, gradient


@pytest.fixture
def own_pools(monkeypatch):
    """Pools of this test alone; closed at its end."""
    pools = []
    monkeypatch.setattr(door, "_pools", pools)
    yield pools
    while pools:
        pools.pop().close()


def test_settings_reach_the_pool_and_are_kept(own_pools):
    settings = AppConfig(decode_seconds=3.5, decode_memory_mb=300, decode_workers=3)
    pool = decoder_pool(settings)
    assert (pool.limits.seconds, pool.limits.memory_mb, pool.workers) == (3.5, 300, 3)
    assert decoder_pool(settings) is pool  # a probe asks with the settings each time
    assert decoder_pool() is pool


def test_other_settings_replace_the_pool(own_pools):
    first = decoder_pool()
    second = decoder_pool(AppConfig(decode_seconds=2))
    assert second is not first
    with pytest.raises(ImageError, match="free decoder is required"):
        first.read_image(dicom_bytes(gradient()))


def test_the_door_reads_as_read_image_does():
    data = dicom_bytes(gradient())
    assert read_untrusted(data).info == read_image(data).info
    with pytest.raises(ImageError, match="found another format"):
        read_untrusted(b"GIF89a")
