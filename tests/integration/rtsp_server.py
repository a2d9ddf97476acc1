"""An RTSP server for tests, run by the system's Python: `rtsp_server.py PORT [basic|digest USER PASSWORD]`.

Serves H.264 with a moving ball at /door and /till, interlaced at /analog, and without motion
at /still. Prints "ready" once it listens.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

ROLE = "viewer, media.factory.access=(boolean)true, media.factory.construct=(boolean)true"
PATTERNS = {"/door": "ball", "/till": "ball", "/still": "smpte100"}
LAUNCH = (
    "( videotestsrc is-live=true pattern={pattern} ! video/x-raw,width=320,height=240,framerate=15/1 "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0 pt=96 )"
)

INTERLACED = LAUNCH.replace("rate=15/1", "rate=15/1,interlace-mode=interleaved").replace(
    "x264enc", "x264enc interlaced=true"
)


def factory(pattern: str, launch: str = LAUNCH) -> GstRtspServer.RTSPMediaFactory:
    made = GstRtspServer.RTSPMediaFactory()
    made.set_launch(launch.format(pattern=pattern))
    made.set_shared(True)
    return made


def require_login(server: GstRtspServer.RTSPServer, method: str, user: str, password: str) -> None:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    if method == "basic":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    else:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    server.set_auth(auth)


def main(port: str, *login: str) -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    points = server.get_mount_points()
    factories = {name: factory(pattern) for name, pattern in PATTERNS.items()}
    factories["/analog"] = factory("ball", INTERLACED)
    for name, made in factories.items():
        if login:
            made.add_role_from_structure(Gst.Structure.new_from_string(ROLE))
        points.add_factory(name, made)
    if login:
        require_login(server, *login)
    if not server.attach(None):
        sys.exit(f"port {port} cannot be used")
    print("ready", flush=True)  # noqa: T201
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
