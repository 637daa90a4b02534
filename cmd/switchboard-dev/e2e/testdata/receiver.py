"""A webhook receiver on Python's own HTTP server.

It prints one JSON document a line: its port first, then every request as the
server read it.
"""
import http.server
import json


def show(document):
    print(json.dumps(document), flush=True)


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        show({
            "method": self.command, "target": self.path, "host": self.headers["host"],
            "headers": {name.lower(): value for name, value in self.headers.items()}, "body": body.decode(),
        })
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"taken")

    do_GET = do_PUT = do_DELETE = do_POST

    def send_error(self, code, message=None, explain=None):
        show({"refused": message or str(code)})
        super().send_error(code, message, explain)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
show({"port": server.server_address[1]})
server.serve_forever()
