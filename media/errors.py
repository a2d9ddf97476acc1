"""What can go wrong with a picture or a video.

MediaError
├── ImageError      bytes that are not a picture, or a picture that is damaged or exceeds the limits
└── VideoError      a file that is not a video, or a video that is damaged
"""


class MediaError(Exception):
    """Root of every error that this package raises on purpose."""


class ImageError(MediaError):
    """A picture that cannot be decoded or is too large; names what was found and what was expected."""


class VideoError(MediaError):
    """A video that cannot be opened, or that ends before all its frames; names what was found."""
