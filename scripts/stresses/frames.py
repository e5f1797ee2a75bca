"""As much of HTTP/2 (RFC 9113) in the clear as it takes to send posts and to reset them."""

import struct

DATA, HEADERS, RST_STREAM, SETTINGS = 0, 1, 3, 4
END_STREAM, END_HEADERS = 1, 4
CANCEL = 8

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def opening():
    return PREFACE + frame(SETTINGS, 0, 0)


def text(value):
    """RFC 7541, section 5.2, without Huffman codes."""
    data = value.encode()
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest, prefix = len(data) - 127, bytes([127])
    while rest >= 128:
        prefix += bytes([rest % 128 + 128])
        rest >>= 7
    return prefix + bytes([rest]) + data


def post(stream, path, body, headers=()):
    """The frames of a post, the body in two."""
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "127.0.0.1"),
              ("content-type", "application/x-www-form-urlencoded"), *headers]
    block = b"".join(b"\0" + text(name) + text(value) for name, value in fields)
    half = len(body) // 2
    return [frame(HEADERS, END_HEADERS, stream, block), frame(DATA, 0, stream, body[:half].encode()),
            frame(DATA, END_STREAM, stream, body[half:].encode())]


def reset(stream):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL))
