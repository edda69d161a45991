"""The images of tasks: local files, data in the task itself, and files of one Label Studio. Nothing else is fetched."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from PIL import Image

from zeroseg.errors import ImageError
from zeroseg.images import load_image

LARGEST = 100_000_000  # bytes of an image that is fetched
PATIENCE = 30  # seconds
SHOWN = 100  # letters of a wrong address
LOCAL, UPLOAD = "/data/local-files/", "/data/"
SAFE = "%/?=&+:@!$'()*,;~"  # signs that an address keeps as they are
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class TaskImages:
    """Where images may come from.

    Attributes:
        root: the folder of local files: Label Studio's LOCAL_FILES_DOCUMENT_ROOT, or the one with `upload/`.
        host: the address of the only server that files are fetched from, such as "http://localhost:8080"; "" for none.
        key: an access token of that server; it is sent to no other one.
    """

    root: Path
    host: str = ""
    key: str = ""

    def load(self, source: object) -> Image.Image:
        """The image that a task names, upright RGB.

        `source` is the address in the task's data: a path below `root`, "/data/local-files/?d=PATH",
        "/data/upload/PATH", one of these at `host`, or a data URI. A file that is not below `root` is asked for at
        `host`. Raises `ImageError` for all other addresses, for files outside of `root`, and for what is no image.
        """
        if not isinstance(source, str):
            raise ImageError(f"a task has {type(source).__name__} as its image, not one address: ask for one image.")
        if source.startswith("data:"):
            return load_image(_inline(source), "the image in a task's data")
        try:
            parts = urlsplit(source)
            is_ours = not (parts.scheme or parts.netloc) or _origin(parts) == _origin(urlsplit(self.host))
        except ValueError as error:
            raise ImageError(f"{source!r} is no address ({error}): correct the task's data.") from error
        if not is_ours:
            raise ImageError(
                f"{source!r} is not fetched: images come from local files, or from the Label Studio of --label-studio."
            )
        path = self._below_root(parts)
        try:
            if path.is_file():
                return load_image(path)
        except OSError as error:
            raise ImageError(f"{source[:SHOWN]!r} is no path ({error.strerror}): correct the task's data.") from error
        if not self.host or not parts.path.startswith(UPLOAD):
            raise ImageError(f"there is no file {str(path)!r}: start with the --root that has the images of the tasks.")
        return load_image(self._fetched(parts), repr(source))

    def _below_root(self, parts: SplitResult) -> Path:
        """The local file of an address, which may not exist. Raises `ImageError` if it is not below the root."""
        if parts.path.rstrip("/") == LOCAL.rstrip("/"):
            named = parse_qs(parts.query).get("d", [""])[0]
        else:
            named = unquote(parts.path).removeprefix(UPLOAD)
        try:
            root = self.root.resolve()
            path = (root / named.lstrip("/")).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise ImageError(f"{named!r} is no path ({error}): correct the task's data.") from error
        if not path.is_relative_to(root):
            raise ImageError(f"{named!r} is outside of {str(self.root)!r}: only files below --root are read.")
        return path

    def _fetched(self, parts: SplitResult) -> bytes:
        query = f"?{parts.query}" if parts.query else ""
        return self._asked(
            quote(f"{parts.path}{query}", SAFE), {"Authorization": self._authorization()} if self.key else {}
        )

    def _authorization(self) -> str:
        """A legacy token is sent as it is; a personal access token, which has two dots, is exchanged first."""
        if self.key.count(".") != 2:
            return f"Token {self.key}"
        body = json.dumps({"refresh": self.key}).encode()
        answer = self._asked("/api/token/refresh", {"Content-Type": "application/json"}, body)
        try:
            return f"Bearer {json.loads(answer)['access']}"
        except (ValueError, KeyError, TypeError) as error:
            raise ImageError(f"{self.host} did not exchange the access token: check LABEL_STUDIO_API_KEY.") from error

    def _asked(self, path: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
        """What the host answers; redirections are not followed, since they may lead to other servers."""
        address = self.host.rstrip("/") + path
        try:
            request = Request(address, body, dict(headers))
            with build_opener(_NoRedirection).open(request, timeout=PATIENCE) as answer:
                content = answer.read(LARGEST + 1)
        except (OSError, HTTPException, ValueError) as error:
            check = "LABEL_STUDIO_API_KEY" if isinstance(error, HTTPError) else "--label-studio, and that it runs"
            raise ImageError(f"{address!r} cannot be fetched ({error}): check {check}.") from error
        if len(content) > LARGEST:
            raise ImageError(f"{address!r} is larger than {LARGEST:,} bytes: make the image smaller.")
        return content


class _NoRedirection(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """Refuse it."""
        raise HTTPError(req.full_url, code, f"{msg}: redirections are not followed, to {newurl!r}", headers, fp)


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    """Scheme, host and port. Raises `ValueError` for a port that is none."""
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)


def _inline(source: str) -> bytes:
    """The bytes of a data URI. Its size is limited by that of the request."""
    head, _, content = source.partition(",")
    try:
        if not head.endswith(";base64"):
            raise ValueError("it is not in base64")
        return base64.b64decode(content, validate=True)
    except ValueError as error:
        raise ImageError(f"the data URI {head[:40]!r} cannot be read ({error}): write it again.") from error
