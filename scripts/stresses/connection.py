"""HTTP/1.1 on a connection that stays, several requests at a time."""

import socket
import urllib.parse

from .nginx import PASSWORD


class Answer:
    def __init__(self, head):
        fields = {}
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1])
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            if name == "Set-Cookie" and not value.startswith("authgate="):
                continue
            fields[name] = value
        self.worker = int(fields.get("X-Worker", 0))
        self.generation = int(fields.get("X-Generation", 0))
        self.length = int(fields.get("Content-Length", 0))
        self.chunked = "Transfer-Encoding" in fields
        self.closes = fields.get("Connection") == "close"
        self.retry_after = fields.get("Retry-After")
        self.clock = float(fields.get("X-Clock", 0))
        self.gate = fields.get("X-Gate", "")
        self.cookie = fields.get("Set-Cookie", "").partition(";")[0].partition("=")[2]


class Lost(Exception):
    """A connection that ended before the answer; `idle` where nginx may do so: between two requests."""

    def __init__(self, error, idle):
        super().__init__(f"{type(error).__name__}: {error}")
        self.idle = idle


class Connection:
    def __init__(self, port):
        self.port = port
        self.socket = None

    def ask(self, *requests):
        """Sends them all at once and gives their answers."""
        reused = self.socket is not None
        self.heard = False
        answers = []
        try:
            if not reused:
                self.socket = socket.create_connection(("127.0.0.1", self.port), 20)
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.file = self.socket.makefile("rb")
            self.socket.sendall(b"".join(requests))
            for _ in requests:
                answers.append(self.answer())
        except OSError as error:
            self.close()
            idle = answers[-1].closes if answers else reused and not self.heard and not isinstance(error, TimeoutError)
            raise Lost(error, idle) from None
        if answers[-1].closes:
            self.close()
        return answers

    def answer(self):
        head = []
        while (line := self.file.readline()) != b"\r\n":
            self.heard = bool(line)
            if not line.endswith(b"\r\n"):
                raise ConnectionResetError("closed")
            head.append(line)
        answer = Answer(b"".join(head).rstrip())
        if answer.chunked:
            raise RuntimeError("an answer in chunks")
        if len(self.file.read(answer.length)) < answer.length:
            raise ConnectionResetError("closed")
        return answer

    def close(self):
        if self.socket:
            self.file.close()
            self.socket.close()
            self.socket = None


def request(method, path, cookie=None, body=None, **headers):
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    head += "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    if cookie:
        head += f"Cookie: authgate={cookie}\r\n"
    if body is not None:
        head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n{body or ''}".encode()


def get(session):
    return request("GET", "/file", session.cookie)


def login(user, cookie=None, password=PASSWORD, **headers):
    form = urllib.parse.urlencode({"username": user, "password": password, "rd": "/"})
    return request("POST", "/authgate/login", cookie, form, **headers)


def logout(session):
    return request("POST", "/authgate/logout", session.cookie, "")
