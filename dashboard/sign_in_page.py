"""The sign-in page as HTML: a form for user name and password, a link to the provider, or both."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

_ASSETS = Path(__file__).with_name("assets")


@dataclass(frozen=True, slots=True)
class SignInPage:
    """What the page shows. `base` is the base path with slashes on both sides, "/" without one.

    `form_token` protects the form; None leaves out the form for passwords, `provider` shows the link.
    """

    base: str
    target: str
    form_token: str | None
    provider: bool
    problem: str = ""
    name: str = ""

    def html(self) -> str:
        """The whole page; every text in it is escaped."""
        problem = f'<p class="problem" role="alert">{escape(self.problem)}</p>' if self.problem else ""
        parts = [problem, self._form() if self.form_token else "", self._provider() if self.provider else ""]
        return _PAGE.format(
            style=(_ASSETS / "sign_in.css").read_text(),
            logo=(_ASSETS / "mien.svg").read_text(),
            parts="\n".join(filter(None, parts)),
        )

    def _form(self) -> str:
        return _FORM.format(
            action=escape(f"{self.base}sign-in"),
            token=escape(self.form_token or ""),
            target=escape(self.target),
            name=escape(self.name),
        )

    def _provider(self) -> str:
        return _LINK.format(href=escape(f"{self.base}sign-in/provider?next={quote(self.target, safe='')}"))


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · Mien</title>
<style>{style}</style>
</head>
<body>
<main>
{logo}
<h1>Sign in</h1>
{parts}
</main>
</body>
</html>
"""

_FORM = """<form method="post" action="{action}">
<input type="hidden" name="form" value="{token}">
<input type="hidden" name="next" value="{target}">
<label for="name">User name</label>
<input id="name" name="name" value="{name}" autocomplete="username" autocapitalize="none" spellcheck="false"
 maxlength="200" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="1000"
 required>
<button type="submit">Sign in</button>
</form>"""

_LINK = '<a class="button" href="{href}">Sign in with your organisation</a>'
"""A link, since a form that is answered with the way to the provider is stopped by our own `form-action`."""
