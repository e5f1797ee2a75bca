"""WebSockets (RFC 6455) for t/lib/AuthGate/WebSocket.pm, client and server: takes a command a line, as JSON,
and says what came of it.

The server sends back what it gets, but for the message "head": that is answered by the fields of its handshake,
as JSON.
"""

import json
import ssl
import sys
import threading
from contextlib import suppress

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.server import serve


def echo(socket):
    fields = list(socket.request.headers.raw_items())
    with suppress(ConnectionClosed):
        for message in socket:
            socket.send(json.dumps(fields) if message == "head" else message)


class Program:
    def __init__(self):
        self.sockets = {}
        self.any_certificate = ssl.create_default_context()
        self.any_certificate.check_hostname = False
        self.any_certificate.verify_mode = ssl.CERT_NONE

    def serve(self, port):
        server = serve(echo, "127.0.0.1", port, ping_interval=None)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def connect(self, number, url, fields, seconds):
        try:
            socket = connect(
                url,
                additional_headers=fields,
                open_timeout=seconds,
                ping_interval=None,
                proxy=None,
                ssl=self.any_certificate if url.startswith("wss:") else None,
                legacy=True,
            )
        except InvalidStatus as error:
            return answer(error.response)
        self.sockets[number] = socket
        return answer(socket.response)

    def send(self, number, message):
        self.sockets[number].send(message)

    def receive(self, number, seconds):
        return {"message": self.sockets[number].recv(seconds)}

    def close(self, number):
        self.sockets.pop(number).close()

    def closed(self, number, seconds):
        """Whether the other side ends the connection in time, and by which code: 1006 where it says none."""
        try:
            self.sockets[number].recv(seconds)
        except TimeoutError:
            return {"closed": False}
        except ConnectionClosed:
            return {"closed": True, "code": self.sockets[number].close_code}
        raise ValueError("a message")


def answer(response):
    body = (response.body or b"").decode("latin-1")
    return {"status": response.status_code, "fields": list(response.headers.raw_items()), "body": body}


program = Program()
for line in sys.stdin:
    try:
        command = json.loads(line)
        result = getattr(program, command.pop("command"))(**command) or {}
    except Exception as error:  # told to the caller
        result = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(result), flush=True)
