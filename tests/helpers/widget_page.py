"""Widgets in a page without Jupyter: no server is needed, and no network is used."""

import base64
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anywidget

from tests.helpers.chromium import KEEP_STREAM, PATIENCE_MS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Route

# Stands in for the notebook: shows the widget, and carries messages to and from its Python side.
_PAGE = """
<!doctype html><meta charset="utf-8"><body>
<script type="module">
  import widget from "/widget.js";
  const state = await window.getState();
  const listeners = [];
  const toBase64 = (buffer) =>
    btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(""));
  window.model = {
    get: (name) => state[name],
    on: (name, listener) => listeners.push([name, listener]),
    off: (name, listener) => listeners.splice(
      listeners.findIndex(([n, known]) => n === name && known === listener), 1),
    trigger: (name, ...args) => {
      for (const [n, listener] of [...listeners]) if (n === name) listener(...args);
    },
    unanswered: 0,
    mostUnanswered: 0,
    send: async (content, callbacks, buffers = []) => {
      model.mostUnanswered = Math.max(model.mostUnanswered, ++model.unanswered);
      const answers = await window.toKernel(content, buffers.map(toBase64));
      model.unanswered--;
      for (const answer of answers) model.trigger("msg:custom", answer);
    },
  };
  window.show = () => {
    const cell = document.createElement("div");
    document.body.append(cell);
    return widget.render({ model, el: cell });
  };
  window.cleanUp = window.show();
</script>
"""


@dataclass
class WidgetPage:
    """A widget that is shown in a page, and what came from there."""

    page: "Page"
    widget: anywidget.AnyWidget
    received: list[tuple[dict, list[bytes]]] = field(default_factory=list)
    silent: bool = False  # like a kernel that does not answer

    def to_kernel(self, content: dict, buffers: list[str]) -> list[dict]:
        """Hand a message to the widget, and return its answers."""
        answers: list[dict] = []
        data = [base64.b64decode(buffer) for buffer in buffers]
        self.received.append((content, data))
        if not self.silent:
            self.widget.send = answers.append
            self.widget._handle_custom_msg(content, [*map(memoryview, data)])
        return answers

    def wait_for_status(self, text: str) -> None:
        self.page.get_by_role("status").get_by_text(text).wait_for()

    def answer(self, route: "Route") -> None:
        """Serve the page and its script under any address."""
        is_script = route.request.url.endswith(".js")
        kind = "text/javascript" if is_script else "text/html"
        route.fulfill(body=self.widget._esm if is_script else _PAGE, content_type=kind)


ShowWidget = Callable[..., WidgetPage]


@contextmanager
def widget_pages(browser: "Browser") -> Iterator[ShowWidget]:
    """Give a function that shows a widget; its pages are closed in the end."""
    with ExitStack() as contexts:

        def show(
            widget: anywidget.AnyWidget,
            address: str = "http://localhost/",
            permissions: Sequence[str] = ("camera",),
        ) -> WidgetPage:
            context = contexts.enter_context(browser.new_context(permissions=permissions))
            shown = WidgetPage(new_page(context), widget)
            shown.page.expose_function("getState", widget.get_state)
            shown.page.expose_function("toKernel", shown.to_kernel)
            shown.page.route("**/*", shown.answer)
            shown.page.goto(address)
            shown.page.add_style_tag(content=widget._css)
            shown.page.get_by_role("button").first.wait_for()
            return shown

        yield show


def new_page(context: "BrowserContext") -> "Page":
    """Open a page that keeps the camera's stream, see `CAMERA_IS_OFF`."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(KEEP_STREAM)
    return page
