"""How people and programs name a certificate: by the SHA-256 of its DER."""

from __future__ import annotations

import hashlib
import re

_SHA256 = re.compile(r"sha256:([0-9a-f]{64})")


def fingerprint_of(certificate: bytes) -> str:
    """Of a certificate's DER: what `openssl x509 -fingerprint -sha256` says, in lower case and
    without colons.
    """
    return f"sha256:{hashlib.sha256(certificate).hexdigest()}"


def parse_fingerprint(text: str) -> str:
    """A fingerprint as `fingerprint_of` writes it, from what people copy: upper case and colons
    will do. Raises `ValueError`.
    """
    kind, _, digits = text.strip().lower().partition(":")
    found = _SHA256.fullmatch(f"{kind}:{digits.replace(':', '')}")
    if found is None:
        raise ValueError(f"{text!r} is no fingerprint: sha256: and 64 hexadecimal digits")
    return found[0]
