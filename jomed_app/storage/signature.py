"""The signature of a bundle: who sealed it. The only cryptography import of the app.

A seal tells that nothing was altered since somebody sealed it; whoever can write to the folder can
seal it anew. A signature can be made only with the private key. Ed25519 (RFC 8032) over the bytes
of the manifest, which holds the hash of every file; 64 bytes in `manifest.json.sig`. OpenSSL makes
the keys and checks the same signature without this app (ADR 0025).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jomed_app.errors import BundleError, ConfigError
from jomed_app.storage.durable import write_file
from jomed_app.storage.sealing import MANIFEST_FILE, SIGNATURE_FILE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

PASSWORD_VARIABLE = "JOMED_KEY_PASSWORD"  # nosec B105  # a name


def sign_manifest(folder: Path, key: Path, password: str | None = None) -> None:
    """Sign the manifest of a sealed folder; an older signature is replaced.

    Args:
        folder: sealed, its files checked by the caller.
        key: private Ed25519 key, a PEM file in PKCS 8.
        password: of the key, where it has one.

    Raises:
        ConfigError: if the key cannot be read, or cryptography is not installed.
        StorageError: if the signature cannot be written.
    """
    signature = _private_key(key, password).sign((folder / MANIFEST_FILE).read_bytes())
    write_file(folder / SIGNATURE_FILE, signature)


def check_signature(folder: Path, key: Path) -> None:
    """Check that the holder of a key signed the manifest of a folder as it is now.

    Args:
        folder: sealed; that its files match the manifest is checked when it is opened.
        key: public Ed25519 key, a PEM file.

    Raises:
        BundleError: if there is no signature, or it is of another key or another manifest.
        ConfigError: if the key cannot be read, or cryptography is not installed.
    """
    public = _public_key(key)
    from cryptography.exceptions import InvalidSignature

    path = folder / SIGNATURE_FILE
    if not path.is_file() or not (folder / MANIFEST_FILE).is_file():
        raise BundleError(
            f"bundle '{folder.resolve().name}' must be signed, found no '{SIGNATURE_FILE}'. "
            "Get it from who made the bundle, or sign it: bundle sign --key KEY"
        )
    try:
        public.verify(path.read_bytes(), (folder / MANIFEST_FILE).read_bytes())
    except InvalidSignature as error:
        raise BundleError(
            f"bundle '{folder.resolve().name}' must be signed with the key that is trusted, found "
            "a signature of another key or of another manifest; do not use it before you know why"
        ) from error


def _private_key(path: Path, password: str | None) -> Ed25519PrivateKey:
    _require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    secret = password.encode() if password else None
    try:
        key = load_pem_private_key(path.read_bytes(), secret)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(
            f"a private Ed25519 key must be a PEM file, '{path.name}' cannot be read as one; its "
            f"password, if it has one, stands in {PASSWORD_VARIABLE}"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"the key to sign with must be Ed25519, '{path.name}' holds another kind")
    return key


def _public_key(path: Path) -> Ed25519PublicKey:
    _require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(
            f"a public Ed25519 key must be a PEM file, '{path.name}' cannot be read as one"
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"the key to trust must be Ed25519, '{path.name}' holds another kind")
    return key


def _require_cryptography() -> None:
    try:
        import cryptography  # noqa: F401 (whether it is there)
    except ImportError as error:
        raise ConfigError(
            "signatures need the optional package cryptography, found none. "
            "Install: pip install cryptography"
        ) from error
