"""Fake vLLM-Omni and SGLang servers that enforce the real servers' rules.

A job advances with every poll: queued, in_progress, then its end. What the model cannot make fails the job.
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

from support.forms import Form, parts, picture_at, picture_in
from support.showing import render_clip

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
    """One job of a server."""

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
    polls: int = 0
    created_at: int = field(default_factory=lambda: int(time.time()))


@dataclass
class ServerState:
    """The jobs of a server, and how it behaves."""

    model: str
    root: str = ""  # folder of the weights; empty: the same as `model`
    jobs: dict[str, Job] = field(default_factory=dict)
    order_count: int = 0
    deleted: list[str] = field(default_factory=list)
    fault: str | None = None  # fails every job
    is_stuck: bool = False  # jobs do not end
    polls_to_end: int = 3
    key: str = ""  # the API key that it requires, if any
    url: str = ""

    def __post_init__(self) -> None:
        self.root = self.root or self.model

    def forget(self) -> None:
        """Lose all jobs, as a restart does."""
        self.jobs.clear()

    def serves(self, *families: str) -> bool:
        """Whether its model belongs to one of the families, by its name."""
        return any(family in self.root.lower() for family in families)


class Handler(BaseHTTPRequestHandler):
    """What both servers have in common."""

    protocol_version = "HTTP/1.1"
    state: ServerState

    def log_message(self, *_: object, **__: object) -> None:
        pass

    def send(self, status: int, body: object, content_type: str = "application/json") -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status: int, message: str) -> None:
        self.send(status, {"error": {"message": message, "type": "BadRequestError", "code": status}})

    def is_unauthorized(self) -> bool:
        """Whether the request lacks the key; if so, it is answered."""
        if not self.state.key or self.headers.get("authorization") == f"Bearer {self.state.key}":
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
        self.state.order_count += 1
        self.state.jobs[job.id] = job
        self.send(200, self.job_json(job, "queued"))

    def do_GET(self) -> None:
        if self.is_unauthorized():
            return
        if self.path.startswith("/v1/videos?"):
            self.send(
                200, {"object": "list", "data": [self.job_json(job, "queued") for job in self.state.jobs.values()]}
            )
            return
        if self.path == "/v1/models":
            self.send(200, {"object": "list", "data": self.models()})
            return
        match = VIDEO.match(self.path)
        job = self.state.jobs.get(match[1]) if match else None
        if job is None or match is None:
            self.refuse(404, "Video not found")
        elif match[2]:
            self.send(200, render_clip(job), "video/mp4")
        else:
            self.poll(job)

    def poll(self, job: Job) -> None:
        job.polls += 1
        fault = self.state.fault or job.fault
        if job.polls < self.state.polls_to_end or self.state.is_stuck:
            self.send(200, self.job_json(job, "queued" if job.polls < 2 else "in_progress"))
        elif fault:
            self.fail(job, fault)
        else:
            self.send(200, self.job_json(job, "completed"))

    def job_json(self, job: Job, status: str) -> dict[str, Any]:
        fields = {"id": job.id, "object": "video", "model": self.state.model, "prompt": job.prompt, "status": status}
        return fields | {"created_at": job.created_at, "progress": self.progress(status)}

    def models(self) -> list[dict[str, Any]]:
        raise NotImplementedError

    def order(self, content_type: str, data: bytes) -> Job:
        raise NotImplementedError

    def fail(self, job: Job, fault: str) -> None:
        raise NotImplementedError

    def progress(self, status: str) -> int:
        raise NotImplementedError


class VllmOmni(Handler):
    """Only accepts multipart and pictures that need no stretching; a failed job has an error status."""

    def models(self) -> list[dict[str, Any]]:
        return [{"id": self.state.model, "object": "model", "owned_by": "vllm", "root": self.state.root}]

    def order(self, content_type: str, data: bytes) -> Job:
        form = parts(content_type, data)
        if form.fields.get("model", self.state.model) != self.state.model:
            requested, served = form.fields["model"], self.state.model
            raise ValueError(f"Model mismatch: request specifies '{requested}' but server is running '{served}'.")
        if form.files.keys() & {"input_reference"} and "image_reference" in form.fields:
            raise ValueError("Provide only one of input_reference, image_reference, or video_reference")
        name = f"video_gen_{self.state.order_count}"
        return self.h3(name, form) if self.state.serves("h3") else self.plain(name, form)

    def plain(self, name: str, form: Form) -> Job:
        if form.files.get("input_references"):
            raise ValueError("files in input_references are videos for this model")
        fields = form.fields
        width, height, frames = int(fields["width"]), int(fields["height"]), int(fields["num_frames"])
        step, sides = (8, 64) if self.state.serves("ltx") else (4, 32 if self.state.serves("ti2v") else 16)
        pictures = [picture_at(item["image_url"]) for item in json.loads(fields.get("image_reference", "[]"))]
        pictures += [picture_in(file) for _, _, file in form.files.get("input_reference", [])]
        job = Job(name, fields["prompt"], width, height, frames, int(fields["fps"]), pictures, int(fields["seed"]))
        if (frames - 1) % step or width % sides or height % sides:
            job.fault = f"{frames} frames of {width}x{height} would be rounded"
        elif any(picture.size != (width, height) for picture in pictures):
            job.fault = "a picture would be stretched"
        elif "i2v" in self.state.root.lower() and not self.state.serves("ti2v") and len(pictures) != 1:
            job.fault = "No image is provided"
        elif len(pictures) > 1 and not self.state.serves("vace"):
            job.fault = "two pictures"
        return job

    def h3(self, name: str, form: Form) -> Job:
        fields, files = form.fields, form.files.get("input_references", [])
        if len(files) > 12:
            raise ValueError("MiniMax H3 accepts at most 12 total references.")
        extra, seconds = json.loads(fields.get("extra_params", "{}")), float(fields["seconds"])
        kinds = [kind.partition("/")[0] for _, kind, _ in files]
        pictures = [picture_in(file) for (_, _, file), kind in zip(files, kinds, strict=True) if kind == "image"]
        task = extra.get("task") or ("ref2va" if {"video", "audio"} & set(kinds) else "fl2va" if files else "t2va")
        width, height = (int(fields[side]) // 32 * 32 for side in ("width", "height"))
        frames = frames_of_h3(seconds)
        job = Job(name, fields["prompt"], width, height, frames, 24, pictures, int(fields["seed"]), task, kinds)
        ratio = fields.get("aspect_ratio")
        if fields.get("fps", "24") != "24" or not 4 <= seconds <= 15:
            job.fault = "MiniMax H3 output fps is fixed at 24, of 4 to 15 seconds"
        elif task == "t2va" and ratio not in H3_SIZES:
            job.fault = "t2va requires an explicit aspect_ratio"
        elif task == "fl2va" and extra.get("frame_indices") not in ([0], [-1], [0, -1])[: len(pictures) + 1]:
            job.fault = "FL2VA frame_indices must be [0], [-1], or [0, -1]"
        elif task == "fl2va" and any(picture.size != (width, height) for picture in pictures):
            job.fault = "a frame would be stretched"
        elif task == "ref2va" and (
            not {"image", "video"} & set(kinds) or any(min(picture.size) < 256 for picture in pictures)
        ):
            job.fault = "ref2va requires at least one image or video reference, of 256 pixels a side"
        return job

    def fail(self, job: Job, fault: str) -> None:
        self.send(500, self.job_json(job, "failed") | {"error": {"code": "engine_error", "message": fault}})

    def progress(self, status: str) -> int:
        return 100 if status == "completed" else 0

    def do_DELETE(self) -> None:
        match = VIDEO.match(self.path)
        if match is None or self.state.jobs.pop(match[1], None) is None:
            self.refuse(404, "Video not found")
            return
        self.state.deleted.append(match[1])
        self.send(200, {"id": match[1], "deleted": True, "object": "video.deleted"})


class SGLang(Handler):
    """Accepts multipart, or JSON for H3; keeps one picture, which determines the clip's shape; reports progress."""

    def do_GET(self) -> None:
        if self.path == "/model_info":
            self.send(200, {"model_path": self.state.root})
        else:
            super().do_GET()

    def models(self) -> list[dict[str, Any]]:
        return [{"id": self.state.model, "object": "model", "owned_by": "sglang", "root": self.state.model}]

    def order(self, content_type: str, data: bytes) -> Job:
        name = f"sg-{self.state.order_count}"
        if self.state.serves("h3"):
            if not content_type.startswith("application/json"):
                raise ValueError("task is required for MiniMax H3")
            return self.h3(name, json.loads(data))
        form = parts(content_type, data)
        fields, seed = form.fields, int(form.fields.get("seed", "42"))
        width, height = (int(side) for side in fields["size"].split("x"))
        pictures = [picture_in(file) for _, _, file in form.files.get("input_reference", [])][:1]
        if "I2V" in self.state.root and "TI2V" not in self.state.root and not pictures:
            raise ValueError("Served model with task type 'I2V' requires an 'image_path' input, but none was provided")
        if pictures and not self.state.serves("ltx"):
            area, step = (704 * 1280, 32) if self.state.serves("ti2v") else (width * height, 16)
            width, height = shape(pictures[0].width / pictures[0].height, area, step)
        return Job(name, fields["prompt"], width, height, int(fields["num_frames"]), int(fields["fps"]), pictures, seed)

    def h3(self, name: str, fields: dict[str, Any]) -> Job:
        if unsupported := fields.keys() & {"num_frames", "fps", "negative_prompt", "guidance_scale"}:
            raise ValueError(f"{unsupported} is not supported for MiniMax H3")
        rows, task, target = fields.get("conditions", []), fields["task"], fields["target"]
        if unknown := [key for row in rows for key in row if key not in CONDITION]:
            raise ValueError(f"unknown condition key {unknown[0]}")
        indices = [row["frame_index"] for row in rows if row["role"] == "keyframe"]
        if (task == "fl2va") != bool(indices) or indices not in ([], [0], [-1], [0, -1]):
            raise ValueError(f"{task} cannot have keyframes {indices}")
        pictures = [picture_at(row["uri"]) for row in rows if row["type"] == "image"]
        width, height = H3_SIZES[target["aspect_ratio"]]
        if indices and any(picture.size != (width, height) for picture in pictures):
            raise ValueError("a keyframe would be stretched")
        kinds, frames = [row["type"] for row in rows], frames_of_h3(target["duration_seconds"])
        return Job(name, fields["prompt"], width, height, frames, 24, pictures, fields.get("seed", 42), task, kinds)

    def fail(self, job: Job, fault: str) -> None:
        self.send(200, self.job_json(job, "failed") | {"error": {"message": fault}})

    def progress(self, status: str) -> int:
        return {"queued": 0, "in_progress": 42}.get(status, 100)


CONDITION = {"type", "uri", "role", "frame_index"}


def frames_of_h3(seconds: float) -> int:
    """The smallest 17n + 5 frames that cover the duration."""
    return math.ceil((round(seconds * 24) - 5) / 17) * 17 + 5


def shape(ratio: float, area: int, step: int) -> tuple[int, int]:
    """Width and height of about the area, in the aspect ratio of a picture."""
    width, height = (round(math.sqrt(area * factor), 6) for factor in (ratio, 1 / ratio))
    return int(width // step * step), int(height // step * step)


@contextmanager
def serving(handler: type[Handler], state: ServerState) -> Iterator[ServerState]:
    """Serve on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Serving", (handler,), {"state": state}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
