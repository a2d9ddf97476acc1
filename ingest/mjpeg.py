"""HTTP cameras: JPEG pictures in one answer that never ends (MJPEG), or one picture for each request.

Not read by FFmpeg, which decodes every picture: here pictures that are not sampled are skipped undecoded,
pictures are checked before they are decoded, and the reason of a failure is known.
"""

from __future__ import annotations

import time
from email.message import Message
from functools import partial

from typing_extensions import override

from ingest.address_policy import DEFAULT_POLICY, AddressPolicy
from ingest.camera_http import CameraHttp
from ingest.camera_source import CameraSource, UndecodedPicture
from ingest.deadline import Deadline
from ingest.errors import SourceLost
from ingest.network import Address
from ingest.picture_splitter import PictureSplitter
from media.images import CAMERA_PICTURE, decode_gray

_BEGINS = (b"--", b"\xff\xd8", b"content-")
"""What a stream begins with, whatever its type is called: a delimiter, a picture, a part's header."""
_LONGEST_BEGIN = max(map(len, _BEGINS))
_MOST_BLANKS = 1024


class HttpCamera(CameraSource):
    """An open MJPEG stream, or a picture that is requested again and again.

    An answer of type `multipart/...` is a stream; its end is the end of the source. Any other answer that
    begins with a picture is requested again when it ends.

    Args:
        url: with the login, percent-encoded.
        fps: requests per second for a camera that sends one picture for each.
        open_timeout: seconds within which the camera must respond, redirects and logins included.
        read_timeout: seconds within which each picture must arrive.
        policy: judges the address of each connection, those of redirects included.

    Raises:
        SourceError: `url` is not an address, or one that is not allowed.
        SourceLost: there is no stream; gives the reason.
    """

    live = True

    def __init__(
        self,
        url: str,
        fps: float,
        open_timeout: float,
        read_timeout: float,
        policy: AddressPolicy = DEFAULT_POLICY,
    ) -> None:
        self._timeout = read_timeout
        self._has_picture = False
        # Half the time-out leaves as much for the picture itself.
        self._interval = min(1 / fps, read_timeout / 2)
        self._http = CameraHttp(Address.parse(url), policy)
        try:
            self._requested_at = time.monotonic()
            self._splitter, self._repeats = self._open(Deadline(open_timeout))
        except BaseException:
            self._http.close()
            raise

    @override
    def read(self) -> UndecodedPicture:
        deadline = Deadline(self._timeout)
        while (picture := self._splitter.next_picture()) is None:
            if data := self._http.read(deadline):
                self._splitter.feed(data)
            elif (picture := self._splitter.finish()) is not None:
                break
            elif self._repeats:
                self._request_again(deadline)
            else:
                what = "" if self._has_picture else " without a picture"
                raise SourceLost(f"the camera ended the stream{what}")
        self._has_picture = True
        return UndecodedPicture(None, partial(decode_gray, picture, CAMERA_PICTURE))

    @override
    def close(self) -> None:
        self._http.close()

    def _open(self, deadline: Deadline) -> tuple[PictureSplitter, bool]:
        """The splitter with the first bytes of the answer; whether the request is repeated at its end."""
        headers = self._http.request(deadline)
        kind = _kind(headers)
        splitter = PictureSplitter(CAMERA_PICTURE.bytes)
        if kind.startswith("multipart/"):
            return splitter, False
        begin = self._read_begin(deadline)
        if not begin.lstrip().lower().startswith(_BEGINS):
            raise SourceLost(
                f"the camera sends {kind or 'an answer without a type'}, not an MJPEG stream "
                "(multipart/x-mixed-replace) or a JPEG: check the address"
            )
        splitter.feed(begin)
        return splitter, begin.lstrip().startswith(b"\xff\xd8")

    def _read_begin(self, deadline: Deadline) -> bytes:
        """The first bytes of an answer, enough to know what it is."""
        begin = b""
        while len(begin.lstrip()) < _LONGEST_BEGIN and len(begin) < _MOST_BLANKS:
            data = self._http.read(deadline)
            if not data:
                break
            begin += data
        return begin

    def _request_again(self, deadline: Deadline) -> None:
        now = time.monotonic()
        self._requested_at = max(self._requested_at + self._interval, now)
        time.sleep(self._requested_at - now)
        self._splitter, self._repeats = self._open(deadline)


def _kind(headers: Message) -> str:
    """The type of an answer in lower case, without its parameters; at most 100 characters."""
    return str(headers.get("Content-Type", "")).partition(";")[0].strip().lower()[:100]
