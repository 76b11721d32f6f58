import http.server
import threading
from collections.abc import Iterator

import pytest

from trust_runtime.bench.client import Answer, Client, closed_loop, request
from trust_runtime.contracts.errors import StartRefused


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200 if self.path == "/echo" else 404)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        return


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: a client that leaves early is part of the test."""


@pytest.fixture
def port() -> Iterator[int]:
    with Server(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_an_answer_is_complete_with_its_last_byte_however_it_is_cut() -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx: y\r\n\r\nhello"
    for cut in range(1, len(whole)):
        answer = Answer()
        assert answer.feed(whole[:cut]) is False
        assert answer.feed(whole[cut:]) is True
        assert (answer.status, answer.body) == (200, b"hello")
    assert Answer().feed(whole) is True


def test_a_connection_that_ends_early_is_named() -> None:
    with pytest.raises(StartRefused):
        Answer().feed(b"")


def test_many_requests_on_one_connection(port: int) -> None:
    client = Client(port)
    assert client.post("/echo", {"a": 1}) == (200, {"a": 1})
    took, answer = client.timed(request("POST", "/echo", b"[2]", port=port))
    assert (answer.body, took > 0) == (b"[2]", True)
    assert client.post("/other", []) == (404, [])
    client.close()


@pytest.mark.parametrize("count", [3, 4, 25])
def test_a_closed_loop_sends_exactly_so_many(port: int, count: int) -> None:
    clients = [Client(port) for _ in range(3)]
    rate, times = closed_loop(clients, request("POST", "/echo", [1], port=port), count=count)
    assert len(times) == count
    assert rate > 0
    with pytest.raises(StartRefused, match="404"):
        closed_loop(clients, request("POST", "/x", [1], port=port), count=3)
    for client in clients:
        client.close()
