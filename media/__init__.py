"""Pictures and videos: encoded bytes to pixels, safely. Imports nothing of ours."""
