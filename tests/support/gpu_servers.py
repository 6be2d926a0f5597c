"""Small servers that speak as vLLM-Omni and SGLang do, and hold the adapters to what those insist on.

A job goes on by one step with every look at it: queued, in_progress, then its end. What a model cannot make fails its
job.
"""

import json
import math
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

from support.forms import Form, opened, parts, picture
from support.showing import film

VIDEO = re.compile(r"/v1/videos/([\w-]+)(/content)?")
H3_SIZES = {
    "21:9": (1536, 672),
    "16:9": (1344, 768),
    "4:3": (1024, 768),
    "1:1": (768, 768),
    "3:4": (768, 1024),
    "9:16": (768, 1344),
}


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
    seed: int | None = None
    task: str = ""
    kinds: list[str] = field(default_factory=list)  # of its references
    fault: str | None = None
    looks: int = 0
    created_at: int = field(default_factory=lambda: int(time.time()))


@dataclass
class Engine:
    """A server's memory. `never` makes no end, `fault` is how every job ends, `looks` is after how many it ends."""

    model: str
    root: str = ""  # where its weights lie; empty: `model` is not another name
    jobs: dict[str, Job] = field(default_factory=dict)
    made: int = 0
    deleted: list[str] = field(default_factory=list)
    fault: str | None = None
    never: bool = False
    looks: int = 3
    key: str = ""  # what it asks for, if anything
    url: str = ""

    def __post_init__(self) -> None:
        self.root = self.root or self.model

    def forget(self) -> None:
        """As after a restart."""
        self.jobs.clear()

    def makes(self, *marks: str) -> bool:
        """Whether its model is called so."""
        return any(mark in self.root.lower() for mark in marks)


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

    def locked(self) -> bool:
        """Whether the request has not the key; then it is answered."""
        if not self.engine.key or self.headers.get("authorization") == f"Bearer {self.engine.key}":
            return False
        self.send(401, {"error": "Unauthorized"})
        return True

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            job = self.order(self.headers.get("content-type", ""), data)
        except (ValueError, KeyError) as error:
            self.refuse(400, str(error))
            return
        self.engine.made += 1
        self.engine.jobs[job.id] = job
        self.send(200, self.shown(job, "queued"))

    def do_GET(self) -> None:
        if self.locked():
            return
        if self.path.startswith("/v1/videos?"):
            self.send(200, {"object": "list", "data": [self.shown(job, "queued") for job in self.engine.jobs.values()]})
            return
        if self.path == "/v1/models":
            self.send(200, {"object": "list", "data": self.models()})
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
        fault = self.engine.fault or job.fault
        if job.looks < self.engine.looks or self.engine.never:
            self.send(200, self.shown(job, "queued" if job.looks < 2 else "in_progress"))
        elif fault:
            self.fail(job, fault)
        else:
            self.send(200, self.shown(job, "completed"))

    def shown(self, job: Job, status: str) -> dict[str, Any]:
        told = {"id": job.id, "object": "video", "model": self.engine.model, "prompt": job.prompt, "status": status}
        return told | {"created_at": job.created_at, "progress": self.progress(status)}

    def models(self) -> list[dict[str, Any]]:
        raise NotImplementedError

    def order(self, kind: str, data: bytes) -> Job:
        raise NotImplementedError

    def fail(self, job: Job, fault: str) -> None:
        raise NotImplementedError

    def progress(self, status: str) -> int:
        raise NotImplementedError


class VllmOmni(Handler):
    """Multipart alone; pictures must not need stretching; a failed job comes with an error's status."""

    def models(self) -> list[dict[str, Any]]:
        return [{"id": self.engine.model, "object": "model", "owned_by": "vllm", "root": self.engine.root}]

    def order(self, kind: str, data: bytes) -> Job:
        form = parts(kind, data)
        if form.fields.get("model", self.engine.model) != self.engine.model:
            asked, here = form.fields["model"], self.engine.model
            raise ValueError(f"Model mismatch: request specifies '{asked}' but server is running '{here}'.")
        if form.files.keys() & {"input_reference"} and "image_reference" in form.fields:
            raise ValueError("Provide only one of input_reference, image_reference, or video_reference")
        name = f"video_gen_{self.engine.made}"
        return self.h3(name, form) if self.engine.makes("h3") else self.plain(name, form)

    def plain(self, name: str, form: Form) -> Job:
        if form.files.get("input_references"):
            raise ValueError("files in input_references are videos for this model")
        said = form.fields
        width, height, frames = int(said["width"]), int(said["height"]), int(said["num_frames"])
        step, sides = (8, 64) if self.engine.makes("ltx") else (4, 32 if self.engine.makes("ti2v") else 16)
        pictures = [picture(item["image_url"]) for item in json.loads(said.get("image_reference", "[]"))]
        pictures += [opened(file) for _, _, file in form.files.get("input_reference", [])]
        job = Job(name, said["prompt"], width, height, frames, int(said["fps"]), pictures, int(said["seed"]))
        if (frames - 1) % step or width % sides or height % sides:
            job.fault = f"{frames} frames of {width}x{height} would be rounded"
        elif any(one.size != (width, height) for one in pictures):
            job.fault = "a picture would be stretched"
        elif "i2v" in self.engine.root.lower() and not self.engine.makes("ti2v") and len(pictures) != 1:
            job.fault = "No image is provided"
        elif len(pictures) > 1 and not self.engine.makes("vace"):
            job.fault = "two pictures"
        return job

    def h3(self, name: str, form: Form) -> Job:
        said, files = form.fields, form.files.get("input_references", [])
        if len(files) > 12:
            raise ValueError("MiniMax H3 accepts at most 12 total references.")
        extra, seconds = json.loads(said.get("extra_params", "{}")), float(said["seconds"])
        kinds = [kind.partition("/")[0] for _, kind, _ in files]
        pictures = [opened(file) for (_, _, file), kind in zip(files, kinds, strict=True) if kind == "image"]
        task = extra.get("task") or ("ref2va" if {"video", "audio"} & set(kinds) else "fl2va" if files else "t2va")
        width, height = (int(said[side]) // 32 * 32 for side in ("width", "height"))
        frames = frames_of_h3(seconds)
        job = Job(name, said["prompt"], width, height, frames, 24, pictures, int(said["seed"]), task, kinds)
        ratio = said.get("aspect_ratio")
        if said.get("fps", "24") != "24" or not 4 <= seconds <= 15:
            job.fault = "MiniMax H3 output fps is fixed at 24, of 4 to 15 seconds"
        elif task == "t2va" and ratio not in H3_SIZES:
            job.fault = "t2va requires an explicit aspect_ratio"
        elif task == "fl2va" and extra.get("frame_indices") not in ([0], [-1], [0, -1])[: len(pictures) + 1]:
            job.fault = "FL2VA frame_indices must be [0], [-1], or [0, -1]"
        elif task == "fl2va" and any(one.size != (width, height) for one in pictures):
            job.fault = "a frame would be stretched"
        elif task == "ref2va" and (not {"image", "video"} & set(kinds) or any(min(one.size) < 256 for one in pictures)):
            job.fault = "ref2va requires at least one image or video reference, of 256 pixels a side"
        return job

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
    """Multipart, or JSON for H3; keeps one picture, which gives the clip its shape; tells each step."""

    def do_GET(self) -> None:
        if self.path == "/model_info":
            self.send(200, {"model_path": self.engine.root})
        else:
            super().do_GET()

    def models(self) -> list[dict[str, Any]]:
        return [{"id": self.engine.model, "object": "model", "owned_by": "sglang", "root": self.engine.model}]

    def order(self, kind: str, data: bytes) -> Job:
        name = f"sg-{self.engine.made}"
        if self.engine.makes("h3"):
            if not kind.startswith("application/json"):
                raise ValueError("task is required for MiniMax H3")
            return self.h3(name, json.loads(data))
        form = parts(kind, data)
        said, seed = form.fields, int(form.fields.get("seed", "42"))
        width, height = (int(side) for side in said["size"].split("x"))
        pictures = [opened(file) for _, _, file in form.files.get("input_reference", [])][:1]
        if "I2V" in self.engine.root and "TI2V" not in self.engine.root and not pictures:
            raise ValueError("Served model with task type 'I2V' requires an 'image_path' input, but none was provided")
        if pictures and not self.engine.makes("ltx"):
            area, step = (704 * 1280, 32) if self.engine.makes("ti2v") else (width * height, 16)
            width, height = shape(pictures[0].width / pictures[0].height, area, step)
        return Job(name, said["prompt"], width, height, int(said["num_frames"]), int(said["fps"]), pictures, seed)

    def h3(self, name: str, said: dict[str, Any]) -> Job:
        if refused := said.keys() & {"num_frames", "fps", "negative_prompt", "guidance_scale"}:
            raise ValueError(f"{refused} is not supported for MiniMax H3")
        rows, task, target = said.get("conditions", []), said["task"], said["target"]
        if strange := [key for row in rows for key in row if key not in CONDITION]:
            raise ValueError(f"unknown condition key {strange[0]}")
        indices = [row["frame_index"] for row in rows if row["role"] == "keyframe"]
        if (task == "fl2va") != bool(indices) or indices not in ([], [0], [-1], [0, -1]):
            raise ValueError(f"{task} cannot have keyframes {indices}")
        pictures = [picture(row["uri"]) for row in rows if row["type"] == "image"]
        width, height = H3_SIZES[target["aspect_ratio"]]
        if indices and any(one.size != (width, height) for one in pictures):
            raise ValueError("a keyframe would be stretched")
        kinds, frames = [row["type"] for row in rows], frames_of_h3(target["duration_seconds"])
        return Job(name, said["prompt"], width, height, frames, 24, pictures, said.get("seed", 42), task, kinds)

    def fail(self, job: Job, fault: str) -> None:
        self.send(200, self.shown(job, "failed") | {"error": {"message": fault}})

    def progress(self, status: str) -> int:
        return {"queued": 0, "in_progress": 42}.get(status, 100)


CONDITION = {"type", "uri", "role", "frame_index"}


def frames_of_h3(seconds: float) -> int:
    """The least 17n + 5 that holds the seconds."""
    return math.ceil((round(seconds * 24) - 5) / 17) * 17 + 5


def shape(ratio: float, area: int, step: int) -> tuple[int, int]:
    """Width and height of about that area in the ratio of a picture."""
    width, height = (round(math.sqrt(area * one), 6) for one in (ratio, 1 / ratio))
    return int(width // step * step), int(height // step * step)


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
