"""JWTs as the dashboard API takes them, signed with HS256 by a key that only this process knows."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from typing import Any

from .http import same


class TokenMaker:
    """Makes JWTs and recognises those that it made and that have not expired."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def make(self, expires_in: float) -> str:
        """A JWT that expires in so many seconds; a negative number makes one that has expired."""
        now = time.time()
        head = _segment({"alg": "HS256", "typ": "JWT"})
        claims = _segment({"iss": "wisebot-emulator", "iat": now, "exp": now + expires_in})
        return f"{head}.{claims}.{self._signature(f'{head}.{claims}')}"

    def accepts(self, token: str) -> bool:
        """Whether this maker made the token and it has not expired."""
        signed, _, signature = token.rpartition(".")
        if not same(signature, self._signature(signed)):
            return False
        claims = signed.partition(".")[2]  # only what we made gets here, so that its shape is known
        expires_at: float = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
        return time.time() < expires_at

    def _signature(self, signed: str) -> str:
        return _base64url(hmac.digest(self._key, signed.encode(errors="surrogatepass"), "sha256"))


def _segment(value: dict[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
