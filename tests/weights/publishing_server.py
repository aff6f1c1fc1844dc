"""A server on 127.0.0.1 that takes what the hub's client pushes, and gives it back like the hub."""

import base64
import hashlib
import json

from tests.weights.hub_server import HubServer, _Handler


class _Taking(_Handler):
    """Repository creation, preupload, LFS batch and object, commit: as much of the hub's API as its client calls."""

    def do_POST(self):  # noqa: N802  (the name http.server calls)
        body = self._content()
        self.server.requests.append(("POST", self.path))
        if self.headers.get("Authorization") != f"Bearer {self.server.token}":
            self._reply(401, {"error": "Invalid username or password."})
            return
        answers = {
            "/api/repos/create": self._create,
            "/api/validate-yaml": lambda _: {"errors": [], "warnings": []},
            "/preupload/": lambda body: {"files": [self._mode(f["path"]) for f in json.loads(body)["files"]]},
            ".git/info/lfs/objects/batch": lambda body: {
                "transfer": "basic", "objects": [self._action(each) for each in json.loads(body)["objects"]],
            },
            "/commit/": lambda body: self._commit([json.loads(line) for line in body.splitlines()]),
        }  # fmt: skip
        answer = next((answer for place, answer in answers.items() if place in self.path), None)
        if answer is None:
            self._reply(404, {"error": "not found"})
        else:
            self._reply(200, answer(body))

    def _create(self, body):
        self.server.created.append(json.loads(body))
        return {"url": f"{self.server.url}/someone/models"}

    def do_PUT(self):  # noqa: N802
        body = self._content()
        self.server.objects[hashlib.sha256(body).hexdigest()] = body
        self._reply(200, {})

    def _content(self):
        """The body, of a declared length or in chunks."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _mode(self, path):
        return {
            "path": path,
            "uploadMode": "lfs" if path.endswith(".safetensors") else "regular",
            "shouldIgnore": False,
        }

    def _action(self, wanted):
        return {**wanted, "actions": {"upload": {"href": f"{self.server.url}/objects/{wanted['oid']}"}}}

    def _commit(self, lines):
        server = self.server
        revision = hashlib.sha1(json.dumps(lines).encode()).hexdigest()
        place = f"/someone/models/resolve/{revision}"
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                server.files[f"{place}/{value['path']}"] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                server.files[f"{place}/{value['path']}"] = server.objects[value["oid"]]
        server.revision = revision
        return {
            "success": True,
            "commitOid": revision,
            "commitUrl": f"{server.url}/someone/models/commit/{revision}",
            "hookOutput": "",
        }

    def _reply(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class PublishingServer(HubServer):
    """Takes pushes that carry its token."""

    def __init__(self):
        super().__init__()
        self.RequestHandlerClass = _Taking
        self.token, self.created, self.objects, self.revision = "secret", [], {}, None
