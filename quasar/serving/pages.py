"""The endpoint's pages: the playground, whose files are served as they lie in `playground/`, the
documentation of the API, and what went wrong. All text inserted into the latter is escaped. Nothing
is fetched from elsewhere: an endpoint without a way to the internet has all of it.
"""

import html
from pathlib import Path
from string import Template
from typing import Any

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles

PLAYGROUND = Path(__file__).parent / "playground"
# The paths of the page and its files, which any caller may read.
PLAYGROUND_PATHS = frozenset(
    ("/", *(f"/playground/{file.name}" for file in PLAYGROUND.iterdir() if file.is_file()))
)
SWAGGER = Path(fastapi_offline.__file__).parent / "static"
SWAGGER_FILES = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png")
DOCS_PATHS = frozenset(("/docs", "/openapi.json", *(f"/docs/{name}" for name in SWAGGER_FILES)))
_FILE_HEADERS = {
    "Cache-Control": "no-cache",  # asked for again each time, answered 304 where it is the same
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Scripts, styles and requests of this origin alone, none of them inline: what a model writes cannot
# run, whatever way it gets into the page.
_PAGE_HEADERS = _FILE_HEADERS | {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# As FastAPI's page needs it: its script is inline, and Swagger sets styles and draws in data URLs.
_DOCS_HEADERS = _FILE_HEADERS | {
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}

_FRAME = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>$title</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
       color: #1b1f24; background: #fff }
pre, textarea { font: 14px/1.4 ui-monospace, monospace; background: #f4f5f7; padding: .8rem;
       border: 1px solid #d0d4da; border-radius: 4px; overflow: auto; white-space: pre-wrap }
textarea { width: 100%; height: 11rem; box-sizing: border-box }
button { font: inherit; padding: .3rem 1rem }
</style></head><body>
$body
</body></html>
""")

_ERROR = Template("""<h1>$status: $message</h1>
$field<p><b>Hint:</b> $hint</p>
<p><a href="$home">To the playground</a></p>""")


def add_playground(api: FastAPI) -> None:
    """`GET /`, and the files that the page is made of under `/playground/`."""
    page = (PLAYGROUND / "index.html").read_text(encoding="utf-8")

    @api.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def index() -> HTMLResponse:
        return HTMLResponse(page, headers=_PAGE_HEADERS)

    api.mount("/playground", _Files(directory=PLAYGROUND))


def add_docs(api: FastAPI) -> None:
    """`GET /docs`: Swagger UI, its files under `/docs/`."""
    script, style, icon = (f"docs/{name}" for name in SWAGGER_FILES)
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title="Quasar: API",
        swagger_js_url=script,
        swagger_css_url=style,
        swagger_favicon_url=icon,
    )
    page.headers.update(_DOCS_HEADERS)

    @api.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return page

    api.mount("/docs", _Files(directory=SWAGGER))


class _Files(StaticFiles):
    """Files that a browser asks for again where they have changed, and takes for what they are."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers.update(_FILE_HEADERS)
        return response


def error_page(status: int, error: dict[str, Any], *, home: str) -> str:
    """One refusal, readable: message, field, hint."""
    field = html.escape(error["field"] or "")
    body = _ERROR.substitute(
        status=status,
        message=html.escape(error["message"]),
        field=f"<p><b>Field:</b> <code>{field}</code></p>\n" if field else "",
        hint=html.escape(error["hint"]),
        home=html.escape(home),
    )
    return _FRAME.substitute(title=f"Quasar: error {status}", body=body)
