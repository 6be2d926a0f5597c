"""Multipart bodies, parsed with the limits of the form parser that vLLM-Omni and SGLang use."""

import io
from base64 import b64decode
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP

from PIL import Image

FIELD_BYTES_MAX = 1024 * 1024  # Starlette's limit for a part without a file name


@dataclass
class Form:
    """The fields by name, and the files by name: file name, media type and content."""

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, list[tuple[str, str, bytes]]] = field(default_factory=dict)


def parts(content_type: str, data: bytes) -> Form:
    """The fields and files of a multipart body."""
    if not content_type.startswith("multipart/form-data"):
        raise ValueError("multipart/form-data is needed")
    form = Form()
    message = BytesParser(policy=HTTP).parsebytes(f"content-type: {content_type}\r\n\r\n".encode() + data)
    for part in message.iter_parts():
        name, content = str(part.get_param("name", header="content-disposition")), part.get_payload(decode=True)
        assert isinstance(content, bytes)
        if filename := part.get_filename():
            form.files.setdefault(name, []).append((filename, part.get_content_type(), content))
        elif len(content) > FIELD_BYTES_MAX:
            raise ValueError("Part exceeded maximum size of 1024KB.")
        else:
            form.fields[name] = content.decode()
    return form


def picture_at(url: str) -> Image.Image:
    """The picture in a data URL."""
    return picture_in(b64decode(url.partition(",")[2]))


def picture_in(data: bytes) -> Image.Image:
    """The picture in a file."""
    return Image.open(io.BytesIO(data)).convert("RGB")
