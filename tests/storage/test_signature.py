"""A seal says unaltered, a signature says by whom."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jomed_app.cli import main as cli
from jomed_app.errors import BundleError, ConfigError
from jomed_app.storage.bundle import open_bundle
from jomed_app.storage.sealing import MANIFEST_FILE, SIGNATURE_FILE
from jomed_app.storage.signature import check_signature, sign_manifest
from tests.storage.test_bundle import FILES, write_tiny

pytestmark = pytest.mark.usefixtures("log_elsewhere")
ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
pem = pytest.importorskip("cryptography.hazmat.primitives.serialization")


def write_keys(folder: Path, name: str, password: bytes | None = None) -> tuple[Path, Path]:
    """A private and a public key file, as OpenSSL writes them."""
    private = ed25519.Ed25519PrivateKey.generate()
    shield = pem.BestAvailableEncryption(password) if password else pem.NoEncryption()
    (folder / f"{name}.pem").write_bytes(
        private.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, shield)
    )
    (folder / f"{name}.pub.pem").write_bytes(
        private.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)
    )
    return folder / f"{name}.pem", folder / f"{name}.pub.pem"


def write_key(path: Path) -> None:
    """A private key of its own."""
    write_keys(path.parent, path.stem)


def sign_here(public: Path, folder: Path) -> None:
    """Sign a bundle with a new key and leave its public half."""
    private, written = write_keys(public.parent, "new")
    sign_manifest(folder, private)
    written.rename(public)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    write_tiny(folder)
    return folder


def test_a_signed_bundle_is_that_of_its_key_and_still_sealed(bundle, tmp_path):
    private, public = write_keys(tmp_path, "ours")
    fingerprint = open_bundle(bundle).fingerprint
    sign_manifest(bundle, private)
    check_signature(bundle, public)
    assert (bundle / SIGNATURE_FILE).stat().st_size == 64
    assert open_bundle(bundle).fingerprint == fingerprint


def test_a_seal_is_no_signature(bundle, tmp_path):
    """Who can write to a bundle can seal it anew, but cannot sign it."""
    private, public = write_keys(tmp_path, "ours")
    sign_manifest(bundle, private)
    kept = (bundle / SIGNATURE_FILE).read_bytes()
    (bundle / "reader" / "config.json").write_bytes(b'{"model_type": "evil"}')
    write_tiny(bundle)
    open_bundle(bundle)  # the seal fits again
    assert not (bundle / SIGNATURE_FILE).exists(), "the signature was that of another manifest"
    (bundle / SIGNATURE_FILE).write_bytes(kept)
    with pytest.raises(
        BundleError, match="found a signature of another key or of another manifest"
    ):
        check_signature(bundle, public)


def test_another_key_is_not_trusted(bundle, tmp_path):
    sign_manifest(bundle, write_keys(tmp_path, "theirs")[0])
    with pytest.raises(BundleError, match="must be signed with the key that is trusted"):
        check_signature(bundle, write_keys(tmp_path, "ours")[1])


@pytest.mark.parametrize("place", range(64))
def test_every_flipped_byte_of_a_signature_is_found(bundle, tmp_path, place):
    private, public = write_keys(tmp_path, "ours")
    sign_manifest(bundle, private)
    signature = bytearray((bundle / SIGNATURE_FILE).read_bytes())
    signature[place] ^= 1
    (bundle / SIGNATURE_FILE).write_bytes(signature)
    with pytest.raises(BundleError, match="of another key or of another manifest"):
        check_signature(bundle, public)


def test_an_unsigned_bundle_is_said(bundle, tmp_path):
    with pytest.raises(BundleError, match=r"must be signed, found no 'manifest\.json\.sig'"):
        check_signature(bundle, write_keys(tmp_path, "ours")[1])


def test_a_key_with_a_password_needs_it(bundle, tmp_path):
    private, public = write_keys(tmp_path, "ours", b"secret")
    for wrong in (None, "other"):
        with pytest.raises(ConfigError, match="password, if it has one, stands in JOMED_KEY_PASS"):
            sign_manifest(bundle, private, wrong)
    sign_manifest(bundle, private, "secret")
    check_signature(bundle, public)


def test_what_is_no_ed25519_key_is_said(bundle, tmp_path):
    private, public = write_keys(tmp_path, "ours")
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (tmp_path / "rsa.pem").write_bytes(
        other.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
    )
    with pytest.raises(ConfigError, match=r"must be Ed25519, 'rsa\.pem' holds another kind"):
        sign_manifest(bundle, tmp_path / "rsa.pem")
    for path in (tmp_path / "absent.pem", private, bundle / MANIFEST_FILE):
        with pytest.raises(ConfigError, match="a public Ed25519 key must be a PEM file"):
            check_signature(bundle, path)
    with pytest.raises(ConfigError, match="a private Ed25519 key must be a PEM file"):
        sign_manifest(bundle, public)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="OpenSSL is not installed")
def test_openssl_makes_the_keys_and_checks_the_same_signature(bundle, tmp_path):
    private, public = tmp_path / "key.pem", tmp_path / "public.pem"
    for words in (
        ["genpkey", "-algorithm", "ed25519", "-out", private],
        ["pkey", "-in", private, "-pubout", "-out", public],
    ):
        subprocess.run(["openssl", *words], check=True, capture_output=True)
    sign_manifest(bundle, private)
    check_signature(bundle, public)
    check = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in",
             bundle / MANIFEST_FILE, "-sigfile", bundle / SIGNATURE_FILE]  # fmt: skip
    assert subprocess.run(check, capture_output=True).returncode == 0
    (bundle / MANIFEST_FILE).write_text("{}")
    assert subprocess.run(check, capture_output=True).returncode != 0


def test_the_commands_sign_and_verify(bundle, tmp_path, capsys):
    private, public = write_keys(tmp_path, "ours")
    assert cli.main(["bundle", "verify", str(bundle), "--public-key", str(public)]) == 2
    assert "must be signed" in capsys.readouterr().err
    assert cli.main(["bundle", "sign", str(bundle), "--key", str(private)]) == 0
    assert cli.main(["bundle", "verify", str(bundle)]) == 0
    said = capsys.readouterr().out
    assert "every file matches its hash; its signature was not looked at" in said
    assert cli.main(["bundle", "verify", str(bundle), "--public-key", str(public)]) == 0
    assert "every file matches its hash; signed with the key of 'ours.pub.pem'" in (
        capsys.readouterr().out
    )


def test_a_damaged_bundle_is_not_signed(bundle, tmp_path, capsys):
    private, _ = write_keys(tmp_path, "ours")
    (bundle / "reader" / "config.json").write_bytes(b"{}")
    assert cli.main(["bundle", "sign", str(bundle), "--key", str(private)]) == 2
    assert "was altered" in capsys.readouterr().err
    assert not (bundle / SIGNATURE_FILE).exists()


def test_serving_can_require_a_signature(tiny_bundle, tiny_index, tmp_path, capsys):
    """Before anything is loaded; the address is free again afterwards."""
    _, public = write_keys(tmp_path, "ours")
    (tmp_path / "app.toml").write_text(f'[app]\nbundle_public_key = "{public}"\nport = 58391\n')
    words = ["--bundle", str(tiny_bundle), "--index", str(tiny_index)]
    assert cli.main(["serve", "--config", str(tmp_path / "app.toml"), *words]) == 2
    assert "must be signed, found no 'manifest.json.sig'" in capsys.readouterr().err


def test_without_the_optional_package_one_sentence_says_so(bundle, tmp_path, monkeypatch):
    private, public = write_keys(tmp_path, "ours")
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ConfigError, match="Install: pip install cryptography"):
        sign_manifest(bundle, private)
    with pytest.raises(ConfigError, match="Install: pip install cryptography"):
        check_signature(bundle, public)
