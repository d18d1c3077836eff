"""A server on loopback that speaks OpenAI's chat completions and says what a test tells it to say."""

import json
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def completion(content, *, prompt_tokens=10, completion_tokens=3, finish_reason="stop", **message):
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "message": {"role": "assistant", "content": content, **message},
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


def refusal(status, message, **fields):
    return status, {"error": {"message": message, "type": "invalid_request_error", **fields}}


class ChatServer:
    """Says what `answer(request)` returns: a text, a completion, (status, document), (status, document, headers), bytes.

    Raising ConnectionError hangs up.
    """

    def __init__(self, answer):
        self.answer = answer
        self.requests = []
        self.headers = []
        self.url = ""


@contextmanager
def serving(answer):
    told = ChatServer(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.requests.append(body)
            told.headers.append(self.headers)
            try:
                said = told.answer(body) if self.path == "/v1/chat/completions" else refusal(404, "Not Found")
            except ConnectionError:
                self.close_connection = True
                return
            status, document, *headers = said if isinstance(said, tuple) else (200, said)
            document = completion(document) if isinstance(document, str) else document
            raw = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if isinstance(document, bytes) else "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.send_header("x-request-id", f"r{len(told.requests)}")
            # Of interest after 429 only; the client waits so long, not seconds.
            for name, value in (headers[0] if headers else {"retry-after-ms": "1"}).items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):  # the client has given up
                self.wfile.write(raw)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
