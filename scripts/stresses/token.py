"""Tokens as docs/TOKEN.md lays them out: expired, limited, of nobody. A gate gives out none of these."""

import base64
import hashlib
import hmac
import os
import struct
import time

METHOD, PATH = 1, 2


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def derived(secret, info, length):
    """HKDF (RFC 5869) without salt; all that is derived here fits into one block."""
    return mac(mac(bytes(32), secret), info.encode() + b"\x01")[:length]


class Maker:
    """Makes tokens of one realm, whose session salt is empty: it has `state`."""

    def __init__(self, realm):
        self.realm, self.name, self.secret = realm, "stress", os.urandom(32)
        self.offset = 0  # of nginx's clock

    def keys_file(self):
        return f"{self.name} {base64.b64encode(self.secret).decode()}\n"

    def session(self, user, expires_in=3600):
        return self.sign("session", user, expires_in, ())

    def api(self, user, expires_in=3600, limits=()):
        return "agt_" + self.sign("api", user, expires_in, limits)

    def sign(self, purpose, user, expires_in, limits):
        now = int(time.time()) + self.offset
        # An expired one was issued before it expired.
        issued_at, expires_at = min(now, now + expires_in - 60), now + expires_in
        payload = derived(self.secret, f"authgate v1\0realm\0{self.realm}", 4) + os.urandom(16)
        payload += struct.pack(">QQQQB", issued_at, expires_at, expires_at, 0, len(user)) + user.encode()
        for kind, text in limits:
            payload += bytes([kind, len(text)]) + text.encode()
        signed = f"v1.{self.name}.{base64url(payload)}"
        key = derived(self.secret, f"authgate v1\0{purpose}\0{self.realm}", 32)
        return f"{signed}.{base64url(mac(key, signed.encode()))}"
