"""Multipart bodies as the form parser reads them that vLLM-Omni and SGLang have in common."""

import io
from base64 import b64decode
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP

from PIL import Image

FIELD_BYTES_MAX = 1024 * 1024  # Starlette's, of a part without a file's name


@dataclass
class Form:
    """Fields by name, and of the files by name theirs, what they are and what they hold."""

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, list[tuple[str, str, bytes]]] = field(default_factory=dict)


def parts(kind: str, data: bytes) -> Form:
    """The fields and the files of a multipart body."""
    if not kind.startswith("multipart/form-data"):
        raise ValueError("multipart/form-data is needed")
    form = Form()
    for part in BytesParser(policy=HTTP).parsebytes(f"content-type: {kind}\r\n\r\n".encode() + data).iter_parts():
        name, content = str(part.get_param("name", header="content-disposition")), part.get_payload(decode=True)
        if filename := part.get_filename():
            form.files.setdefault(name, []).append((filename, part.get_content_type(), content))
        elif len(content) > FIELD_BYTES_MAX:
            raise ValueError("Part exceeded maximum size of 1024KB.")
        else:
            form.fields[name] = content.decode()
    return form


def picture(url: str) -> Image.Image:
    """The picture in a data URL."""
    return opened(b64decode(url.partition(",")[2]))


def opened(data: bytes) -> Image.Image:
    """The picture in a file."""
    return Image.open(io.BytesIO(data)).convert("RGB")
