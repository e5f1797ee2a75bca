"""HTTP/3 (RFC 9114) for t/lib/AuthGate/Http3.pm: takes a command a line, as JSON, and says what came of it.

Bytes stand in JSON as the characters U+0000 to U+00FF. Each command names a connection by a number of the
caller's, and all but "open" one that is open.
"""

import asyncio
import json
import ssl
import sys

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, ErrorCode, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamReset

CANCELLED = ErrorCode.H3_REQUEST_CANCELLED


class Http(H3Connection):
    """Knows what aioquic does not: an answer to HEAD has a length and no body."""

    def __init__(self, quic):
        super().__init__(quic)
        self.heads = set()

    def _check_content_length(self, stream):
        if stream.stream_id not in self.heads:
            super()._check_content_length(stream)


class Answer:
    """What has come on one stream."""

    def __init__(self):
        self.fields, self.body, self.reset = [], b"", None
        self.ended = asyncio.Event()


class Connection(QuicConnectionProtocol):
    """One connection with its streams."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = Http(self._quic)
        self.answers = {}
        self.terminated = None

    def quic_event_received(self, event):
        if isinstance(event, StreamReset) and event.stream_id in self.answers:
            self.answers[event.stream_id].reset = event.error_code
            self.answers[event.stream_id].ended.set()
        elif isinstance(event, ConnectionTerminated):
            self.terminated = event.error_code
            for answer in self.answers.values():
                answer.ended.set()
        for part in self.http.handle_event(event):
            self.take(self.answers.get(part.stream_id), part)

    @staticmethod
    def take(answer, part):
        if answer is None:
            return
        if isinstance(part, HeadersReceived):
            answer.fields += part.headers
        elif isinstance(part, DataReceived):
            answer.body += part.data
        if part.stream_ended:
            answer.ended.set()

    def request(self, fields, body, more):
        stream = self._quic.get_next_available_stream_id()
        self.answers[stream] = Answer()
        fields = [(octets(name), octets(value)) for name, value in fields]
        if (b":method", b"HEAD") in fields:
            self.http.heads.add(stream)
        self.http.send_headers(stream, fields, not body and not more)
        if body:
            self.data(stream, body, more)
        self.transmit()
        return {"stream": stream}

    def data(self, stream, body, more):
        if self.answers[stream].ended.is_set():
            return  # nginx has answered, and wants no more of it
        self.http.send_data(stream, octets(body), not more)
        self.transmit()

    def raw(self, body, more, one_way):
        stream = self._quic.get_next_available_stream_id(is_unidirectional=one_way)
        self.answers[stream] = Answer()
        self._quic.send_stream_data(stream, octets(body), not more)
        self.transmit()
        return {"stream": stream}

    def reset(self, stream, how):
        if self.answers[stream].ended.is_set():
            return  # there is no such stream any more
        if "sending" in how:
            self._quic.reset_stream(stream, CANCELLED)
        if "reading" in how:
            self._quic.stop_stream(stream, CANCELLED)
        self.transmit()

    async def answer(self, stream, seconds):
        answer = self.answers[stream]
        if self.terminated is None:
            await asyncio.wait_for(answer.ended.wait(), seconds)
        return {
            "fields": [[text(name), text(value)] for name, value in answer.fields],
            "body": text(answer.body),
            "reset": answer.reset,
            "terminated": self.terminated,
        }

    def is_answered(self, stream):
        return {"answered": self.answers[stream].ended.is_set()}

    async def closed(self, seconds):
        await asyncio.wait_for(self.wait_closed(), seconds)
        return {"terminated": self.terminated}


def octets(characters):
    return characters.encode("latin-1")


def text(content):
    return content.decode("latin-1")


class Client:
    """All connections of one caller."""

    def __init__(self):
        self.connections, self.contexts, self.tickets = {}, [], {}

    async def open(self, number, port, name, seconds, resumed):
        """Resumes the session of another connection and sends early data, where that is given."""
        configuration = QuicConfiguration(
            is_client=True, alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE, server_name=name
        )
        configuration.session_ticket = self.tickets.get(resumed)
        context = connect(
            "127.0.0.1",
            port,
            configuration=configuration,
            create_protocol=Connection,
            session_ticket_handler=lambda ticket: self.tickets.update({number: ticket}),
            wait_connected=resumed is None,
        )
        self.connections[number] = await asyncio.wait_for(context.__aenter__(), seconds)
        self.contexts.append(context)  # never left: that would wait

    def ticket(self, number):
        """Whether the next connection could send early data."""
        ticket = self.tickets.get(number)
        return {"early_data": ticket is not None and bool(ticket.max_early_data_size)}

    def close(self, number):
        self.connections[number].close()
        self.vanish(number)

    def vanish(self, number):
        """The connection goes without a word."""
        connection = self.connections.pop(number)
        connection.transmit = lambda: None
        connection._transport.close()

    async def perform(self, command):
        name, number = command.pop("command"), command.pop("connection")
        if name in ("open", "ticket", "close", "vanish"):
            result = getattr(self, name)(number, **command)
        elif name == "ping":
            result = asyncio.wait_for(self.connections[number].ping(), command["seconds"])
        else:
            result = getattr(self.connections[number], name)(**command)
        return await result if asyncio.iscoroutine(result) else result


async def main():
    reader = asyncio.StreamReader(limit=2**24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    client = Client()
    while line := await reader.readline():
        try:
            result = await client.perform(json.loads(line)) or {}
        except Exception as error:  # told to the caller
            result = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(result), flush=True)


asyncio.run(main())
