"""References that are URLs of this gateway: recognised by path and signature, and read without the network."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from framegate.api.context import ApiContext
from framegate.api.http.signed_urls import FileLink, UrlSigner
from framegate.domain import Blob, Output
from framegate.domain.errors import NotFound, PrivateFile

FindLink = Callable[[str, Mapping[str, str], UrlSigner], FileLink | None]
FindUpload = Callable[[ApiContext, str, str], Awaitable[Blob | None]]
URL_CHARS_MAX = 8192


class OwnFiles:
    """Finds the file that a URL of this gateway names, in whichever API and under whichever hostname.

    The tenant may read what its own key may read: its own files, and those of others by a signed URL that is valid.
    """

    def __init__(self, context: ApiContext, links: Sequence[FindLink], uploads: Sequence[FindUpload]) -> None:
        self._context = context
        self._links = links
        self._uploads = uploads

    async def find(self, url: str, owner: str) -> Blob | None:
        """Return the file for a tenant; None for a URL of another server.

        Raises `NotFound`, `NotReady`, `Gone` or `PrivateFile` for a file of this gateway that the tenant may not read.
        """
        if len(url) > URL_CHARS_MAX or not url[:8].lower().startswith(("http://", "https://")):
            return None
        try:
            parts = urlsplit(url)
            query = dict(parse_qsl(parts.query))
        except ValueError:
            return None
        for find_upload in self._uploads:
            if (blob := await find_upload(self._context, parts.path, owner)) is not None:
                return blob
        links = (find(parts.path, query, self._context.url_signer) for find in self._links)
        link = next((link for link in links if link is not None), None)
        output = await self._output(link, owner) if link else None
        return await self._blob(output, link.file) if output and link else None

    async def _output(self, link: FileLink, owner: str) -> Output | None:
        jobs, keys = self._context.jobs, self._context.keys
        private: PrivateFile | None = None
        try:
            if link.credential is not None and await keys.is_valid(link.credential):
                return await jobs.linked_output(link.job_id, index=link.index)
        except PrivateFile as error:
            private = error
        try:
            return await jobs.output(link.job_id, owner=owner, index=link.index)
        except NotFound as error:
            if link.credential is not None or await jobs.exists(link.job_id):
                raise private or error from None
            return None  # the same path at another gateway

    async def _blob(self, output: Output, file: str) -> Blob:
        blobs = self._context.jobs.blobs
        if file == "last-frame":
            return await blobs.add_bytes(await self._context.jobs.last_frame_png(output), "image/png")
        kind, _, number = file.partition("/")
        if kind == "matches":
            blob = output.matches[int(number)] if int(number) < len(output.matches) else None
        else:
            blob = {"content": output.blob, "poster": output.poster, "contact-sheet": output.contact_sheet}[kind]
        if blob is None:
            raise NotFound(f"The video has no {file}.")
        return blob
