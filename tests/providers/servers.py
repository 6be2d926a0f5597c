"""Small servers that speak as vLLM-Omni and SGLang do, and hold the adapters to what those insist on.

A job goes on by one step with every look at it: queued, in_progress, then its end.
"""

import io
import json
import re
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

VIDEO = re.compile(r"/v1/videos/([\w-]+)(/content)?")


@dataclass
class Job:
    """What is made, and how far it is."""

    id: str
    prompt: str
    width: int
    height: int
    frames: int
    fps: int
    pictures: list[Image.Image]
    looks: int = 0
    created_at: int = field(default_factory=lambda: int(time.time()))


@dataclass
class Engine:
    """A server's memory. `never` makes no end, `fault` is how every job ends."""

    model: str
    jobs: dict[str, Job] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    fault: str | None = None
    never: bool = False
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    """What the two have in common."""

    protocol_version = "HTTP/1.1"
    engine: Engine

    def log_message(self, *_: object) -> None:
        pass

    def send(self, status: int, body: object, kind: str = "application/json") -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status: int, message: str) -> None:
        self.send(status, {"error": {"message": message, "type": "BadRequestError", "code": status}})

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            job = self.order(self.headers.get("content-type", ""), data)
        except (ValueError, KeyError) as error:
            self.refuse(400, str(error))
            return
        self.engine.jobs[job.id] = job
        self.send(200, self.shown(job, "queued"))

    def do_GET(self) -> None:
        if self.path.startswith("/v1/videos?"):
            self.send(200, {"object": "list", "data": [self.shown(job, "queued") for job in self.engine.jobs.values()]})
            return
        found = VIDEO.match(self.path)
        job = self.engine.jobs.get(found[1]) if found else None
        if job is None or found is None:
            self.refuse(404, "Video not found")
        elif found[2]:
            self.send(200, film(job), "video/mp4")
        else:
            self.look(job)

    def look(self, job: Job) -> None:
        job.looks += 1
        if job.looks < 3 or self.engine.never:
            self.send(200, self.shown(job, "queued" if job.looks < 2 else "in_progress"))
        elif self.engine.fault:
            self.fail(job, self.engine.fault)
        else:
            self.send(200, self.shown(job, "completed"))

    def shown(self, job: Job, status: str) -> dict[str, Any]:
        told = {"id": job.id, "object": "video", "model": self.engine.model, "prompt": job.prompt, "status": status}
        return told | {"created_at": job.created_at, "progress": self.progress(status)}

    def order(self, kind: str, data: bytes) -> Job:
        raise NotImplementedError

    def fail(self, job: Job, fault: str) -> None:
        raise NotImplementedError

    def progress(self, status: str) -> int:
        raise NotImplementedError


class VllmOmni(Handler):
    """Multipart alone; pictures must not need stretching; a failed job comes with an error's status."""

    def order(self, kind: str, data: bytes) -> Job:
        form, files = parts(kind, data)
        if files:
            raise ValueError("files in input_references are videos for this model")
        if form["model"] != self.engine.model:
            raise ValueError(f"The model `{form['model']}` does not exist.")
        width, height, frames = int(form["width"]), int(form["height"]), int(form["num_frames"])
        if (frames - 1) % 4:
            raise ValueError(f"{frames} frames would be cut to {(frames - 1) // 4 * 4 + 1}")
        pictures = [picture(item["image_url"]) for item in json.loads(form.get("image_reference", "[]"))]
        if any(one.size != (width, height) for one in pictures):
            raise ValueError("a picture would be stretched")
        name = f"video_gen_{len(self.engine.jobs)}"
        return Job(name, form["prompt"], width, height, frames, int(form["fps"]), pictures)

    def fail(self, job: Job, fault: str) -> None:
        self.send(500, self.shown(job, "failed") | {"error": {"code": "engine_error", "message": fault}})

    def progress(self, status: str) -> int:
        return 100 if status == "completed" else 0

    def do_DELETE(self) -> None:
        found = VIDEO.match(self.path)
        if found is None or self.engine.jobs.pop(found[1], None) is None:
            self.refuse(404, "Video not found")
            return
        self.engine.deleted.append(found[1])
        self.send(200, {"id": found[1], "deleted": True, "object": "video.deleted"})


class SGLang(Handler):
    """Multipart, or JSON for H3; keeps one picture; tells each step."""

    def order(self, kind: str, data: bytes) -> Job:
        name = f"sg-{len(self.engine.jobs)}"
        if kind.startswith("application/json"):
            said = json.loads(data)
            if strange := [key for row in said["conditions"] for key in row if key not in CONDITION]:
                raise ValueError(f"unknown condition key {strange[0]}")
            edge, seconds = said["target"]["short_edge"], said["target"]["duration_seconds"]
            pictures = [picture(row["uri"]) for row in said["conditions"] if row["type"] == "image"]
            return Job(name, said["prompt"], edge * 16 // 9 // 2 * 2, edge, seconds * 24, 24, pictures)
        form, files = parts(kind, data)
        width, height = (int(side) for side in form["size"].split("x"))
        pictures = [Image.open(io.BytesIO(file)) for file in files.values()]
        return Job(name, form["prompt"], width, height, int(form["num_frames"]), int(form["fps"]), pictures)

    def fail(self, job: Job, fault: str) -> None:
        self.send(200, self.shown(job, "failed") | {"error": {"message": fault}})

    def progress(self, status: str) -> int:
        return {"queued": 0, "in_progress": 42}.get(status, 100)


CONDITION = {"type", "uri", "role", "frame_index"}


def parts(kind: str, data: bytes) -> tuple[dict[str, str], dict[str, bytes]]:
    """The fields and the files of a multipart body."""
    if not kind.startswith("multipart/form-data"):
        raise ValueError("multipart/form-data is needed")
    form: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in BytesParser(policy=HTTP).parsebytes(f"content-type: {kind}\r\n\r\n".encode() + data).iter_parts():
        name, content = str(part.get_param("name", header="content-disposition")), part.get_payload(decode=True)
        if part.get_filename():
            files[name] = content
        else:
            form[name] = content.decode()
    return form, files


def picture(url: str) -> Image.Image:
    """The picture in a data URL."""
    return Image.open(io.BytesIO(b64decode(url.partition(",")[2]))).convert("RGB")


def film(job: Job) -> bytes:
    """A clip of the asked size that moves over the first picture."""
    still = job.pictures[0].convert("RGB").resize((job.width, job.height)) if job.pictures else None
    base = np.asarray(still) if still else np.full((job.height, job.width, 3), 90, np.uint8)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=job.fps, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = job.width, job.height, "yuv420p"
        for number in range(job.frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.roll(base, number, axis=1)), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def measured(path: Path) -> tuple[int, int, int]:
    """Width, height and frames of a video, decoded to its end."""
    with av.open(str(path)) as container:
        frames = sum(1 for _ in container.decode(video=0))
        return container.streams.video[0].width, container.streams.video[0].height, frames


@contextmanager
def serving(handler: type[Handler], engine: Engine) -> Iterator[Engine]:
    """Serve on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Serving", (handler,), {"engine": engine}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    engine.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield engine
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
