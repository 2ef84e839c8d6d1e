"""Key pairs, and an HTTP server that publishes the public keys, like an identity provider."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

RSA = rsa.generate_private_key(65537, 2048)
PRIVATE: dict[str, PrivateKey] = {
    "RS256": RSA,
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def signed_token(claims: dict[str, Any], algorithm: str, key_id: str | None) -> str:
    headers = None if key_id is None else {"kid": key_id}
    return jwt.encode(claims, PRIVATE[algorithm], algorithm, headers)


def public_jwk(algorithm: str, key_id: str | None, **more: str) -> dict[str, Any]:
    """The public key as a JWK."""
    key = PRIVATE[algorithm].public_key()
    match key:
        case rsa.RSAPublicKey():
            jwk = RSAAlgorithm.to_jwk(key, as_dict=True)
        case ec.EllipticCurvePublicKey():
            jwk = ECAlgorithm.to_jwk(key, as_dict=True)
        case _:
            jwk = OKPAlgorithm.to_jwk(key, as_dict=True)
    named = {} if key_id is None else {"kid": key_id}
    return {**jwk, **named, **more}


@dataclass(slots=True)
class KeyServer:
    """Answers with `body`, or with status 500 if `body` is None. `asked` counts the requests."""

    url: str = ""
    body: bytes | None = None
    asked: int = 0

    def publish(self, *keys: dict[str, Any]) -> None:
        self.body = json.dumps({"keys": keys}).encode()


@contextmanager
def key_server() -> Iterator[KeyServer]:
    state = KeyServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked += 1
            self.send_response(500 if state.body is None else 200)
            self.end_headers()
            self.wfile.write(state.body or b"")

        def log_message(self, *_: object) -> None:
            """Logs nothing to stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/keys"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
