"""Search for the URLs of finished videos in a response that does not have them where its service documents them."""

import re
from collections import deque
from urllib.parse import urlsplit

from framegate.domain.json import as_list, as_object

NODES_MAX = 1000
FILES_MAX = 10
URL_CHARS_MAX = 8192
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".webm", ".mkv")
_FILE_NAME = re.compile(r"video|url|uri|output|file|download|content|result|media|asset|link|data", re.IGNORECASE)
_OTHER_NAME = re.compile(
    r"image|picture|thumb|poster|preview|cover|frame|poll|status|cancel|callback|webhook|socket|audio|sound|input|"
    r"reference|request|source|doc|help|support|error|logo|avatar|subtitle|mask|token|response_?url|logs",
    re.IGNORECASE,
)


def video_urls(response: object, *, certain: bool = False) -> list[str]:
    """The URLs under names such as `video`, `url` or `output`; only those with the suffix of a video if any has it.

    With `certain`, never those without such a suffix.
    """
    urls: list[str] = []
    waiting: deque[tuple[object, str]] = deque([(response, "data")])
    for _ in range(NODES_MAX):
        if not waiting or len(urls) == FILES_MAX:
            break
        value, name = waiting.popleft()
        waiting.extend((item, key) for key, item in as_object(value).items() if not _OTHER_NAME.search(key))
        waiting.extend((item, name) for item in as_list(value)[:NODES_MAX])
        if isinstance(value, str) and _FILE_NAME.search(name) and _is_url(value) and value not in urls:
            urls.append(value)
    videos = [url for url in urls if _has_video_suffix(url)]
    return videos if videos or certain else urls


def _is_url(text: str) -> bool:
    return len(text) <= URL_CHARS_MAX and text.startswith(("https://", "http://"))


def _has_video_suffix(url: str) -> bool:
    try:
        return urlsplit(url).path.lower().endswith(VIDEO_SUFFIXES)
    except ValueError:
        return False
