"""A Rollcall server for one test class: real processes, the embedded Redis, everything temporary."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

# Each namespace but `public` lacks one thing.
CONFIG = json.loads(pathlib.Path(__file__).with_name("config.json").read_text())
API_KEY = CONFIG["http_api"]["key"]
SECRET = CONFIG["client"]["token"]["hmac_secret_key"]
PATIENCE = float(os.environ.get("ROLLCALL_TEST_PATIENCE", "15"))


class Server:
    """Starts a server and waits until it is ready."""

    def __init__(self):
        try:
            binary, module = os.environ["TEST_ROLLCALL_BIN"], os.environ["TEST_ROLLCALL_MODULE"]
        except KeyError as missing:
            raise RuntimeError(f"{missing} is not set: run ./dev test") from None
        port = free_port()
        self.url = f"ws://127.0.0.1:{port}/connection/websocket"
        self._http = f"http://127.0.0.1:{port}"
        self._dir = tempfile.TemporaryDirectory(prefix="rollcall-sdk-")
        folder = pathlib.Path(self._dir.name)
        config = {**CONFIG, "http_server": {"address": "127.0.0.1", "port": port}}
        (folder / "config.json").write_text(json.dumps(config))
        self._log = folder / "log"
        with self._log.open("w") as log:
            # The kernel kills the server should this process be killed.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", binary, "-c", "config.json"],
                env={**os.environ, "ROLLCALL_ENGINE_EMBEDDED_MODULE": module},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + PATIENCE
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = self._log.read_text()
                self.stop()
                raise RuntimeError(f"the server does not become ready:\n{log}")
            time.sleep(0.01)

    def api(self, method, params):
        """Calls a method of the server API and hands back its result."""
        request = urllib.request.Request(
            f"{self._http}/api/{method}", json.dumps(params).encode(), {"X-API-Key": API_KEY}
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["result"]

    def stop(self):
        """Ends the server and takes its files away."""
        self._process.terminate()
        self._process.wait()
        self._dir.cleanup()

    def _is_ready(self):
        try:
            with urllib.request.urlopen(f"{self._http}/ready") as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError):
            return False


def token(claims):
    """A connection token of these claims."""

    def encode(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    header = encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    signed = header + b"." + encode(json.dumps(claims).encode())
    signature = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + encode(signature)).decode()


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
