"""DNS rebinding with a real browser: a page whose name turned into our address gets nothing (T01).

A name server that changes its answer is played by whoever listens under the page's name: the page
comes from there, and from then on every byte of the browser goes to the runtime as it is.
"""

import html
import json
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from typing import Any, Self

import pytest

from runtimes import Plant

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WAIT_S = 60
browser = pytest.mark.skipif(CHROMIUM is None, reason="NOT TESTED: no Chromium is installed")
PAGE = """<!doctype html><body><pre id="out"></pre><script>
const told = {};
async function ask(name, path, options) {
  try {
    const answer = await fetch(path, options);
    const text = await answer.text();
    told[name] = { status: answer.status, origin: location.origin, text: text.slice(0, 400) };
  } catch (error) { told[name] = { error: String(error) }; }
}
(async () => {
  await ask("get", "/api/runtime-cloud/state");
  await ask("post", "/api/runtime-cloud/config/desired", {
    method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ api_version: "1.0", actor: "local://page",
                           desired: { "log.level": "debug" } }) });
  await ask("sse", "/api/runtime-cloud/events", { headers: { accept: "text/event-stream" } });
  await new Promise(done => {
    const source = new EventSource("/api/runtime-cloud/events");
    source.onopen = () => { told.source = "open"; done(); };
    source.onerror = () => { told.source = "refused"; source.close(); done(); };
  });
  document.getElementById("out").textContent = JSON.stringify(told);
})();
</script>"""


class Rebound:
    """Gives the page once, then is a wire to the runtime; notes what it answered."""

    def __init__(self, runtime_port: int) -> None:
        self._runtime_port = runtime_port
        self._listener = socket.create_server(("127.0.0.2", 0))
        self.port: int = self._listener.getsockname()[1]
        self.statuses: list[bytes] = []
        self.hosts: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            client.settimeout(WAIT_S)
            head = b""
            while b"\r\n\r\n" not in head:
                more = client.recv(65_536)
                if not more:
                    return
                head += more
            if head.startswith(b"GET /page "):
                body = PAGE.encode()
                client.sendall(
                    b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n"
                    b"content-length: %d\r\n\r\n" % len(body) + body
                )
                return
            if head.startswith(b"GET /favicon"):
                return
            self.hosts += re.findall(rb"(?i)\r\nhost: ([^\r]+)", head)
            with socket.create_connection(("127.0.0.1", self._runtime_port), WAIT_S) as runtime:
                # One request a connection, so that each status is seen.
                runtime.sendall(re.sub(rb"(?i)connection: keep-alive", b"Connection: close", head))
                answer = b""
                is_stream = head.startswith(b"GET /api/runtime-cloud/events")
                while (more := runtime.recv(65_536)) and not (is_stream and b" 200 " in more):
                    answer += more
                self.statuses.append((answer or more).split(b"\r\n")[0])
                client.sendall(answer)


def visit(rebound: Rebound) -> dict[str, Any]:
    """Open the page in a browser and return what its requests were answered."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [
                CHROMIUM,
                *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
                *("--disable-background-networking", "--disable-component-update"),
                f"--user-data-dir={profile}",
                "--host-resolver-rules=MAP evil.test 127.0.0.2, MAP * ~NOTFOUND",
                "--virtual-time-budget=20000",
                "--dump-dom",
                f"http://evil.test:{rebound.port}/page",
            ],
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
    found = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout + done.stderr[-2_000:]
    told: dict[str, Any] = json.loads(html.unescape(found[1]))
    for name in ("get", "post"):
        assert told[name]["origin"] == f"http://evil.test:{rebound.port}", "it is the same origin"
    return told


@browser
def test_a_page_on_a_rebound_name_gets_403_for_get_post_and_sse(here: Plant) -> None:
    runtime = here.runtime("runtime-a").start()
    with Rebound(runtime.web_port) as rebound:
        told = visit(rebound)
    for name in ("get", "post", "sse"):
        assert told[name]["status"] == 403, told
        assert json.loads(told[name]["text"])["denial_code"] == "permission_denied"
    assert told["source"] == "refused"
    assert len(rebound.statuses) >= 4
    assert {status.split()[1] for status in rebound.statuses} == {b"403"}
    assert {host.decode() for host in rebound.hosts} == {f"evil.test:{rebound.port}"}
    _, view = runtime.get("/api/runtime-cloud/config")
    assert view["meta"]["desired_revision"] == 0, "nothing was written"


@browser
def test_the_same_page_on_a_name_that_is_allowed_is_answered(here: Plant) -> None:
    """It is the Host that refuses the page above, and nothing else."""
    runtime = here.runtime("runtime-a")
    with Rebound(runtime.web_port) as rebound:
        runtime.extra["runtime.web.allowed_hosts"] = json.dumps([f"evil.test:{rebound.port}"])
        runtime.write_config()
        runtime.start()
        told = visit(rebound)
    assert (told["get"]["status"], told["post"]["status"]) == (200, 200)
