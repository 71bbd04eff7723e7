"""The one door to Jinja2: a panel is a view model with a template beside it; values are escaped."""

from __future__ import annotations

from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from jomed_app.ui import text

PANELS = "jomed_app.ui.panels"
# What gradio would expand in a component's own template: Handlebars, then a JavaScript literal.
EXPANDED_BY_GRADIO = "{}$`\\"


class Panel:
    """One part of the page: the values that its template shows, and no HTML.

    The template is the .html file beside the module of the class; there the panel is `panel` and
    the wording `text`. A panel inside another is shown by its name alone.
    """

    __slots__ = ()

    def __html__(self) -> str:
        """Return the panel as HTML; Jinja asks for it instead of escaping."""
        return render(self)


def render(panel: Panel) -> str:
    """Return a panel as HTML in which every value is text, without blanks at its ends.

    Args:
        panel: of a class whose module lies below `ui/panels/`.

    Raises:
        jinja2.UndefinedError: if the template names something that the panel does not hold.
    """
    return _environment().get_template(template_name(type(panel))).render(panel=panel).strip()


def template_name(panel: type[Panel]) -> str:
    """Return the path of a panel's template below `ui/panels/`."""
    return panel.__module__.removeprefix(f"{PANELS}.").replace(".", "/") + ".html"


def as_gradio_template(html: str) -> str:
    """Return HTML that gradio shows as it is where it expects a template of its own.

    Args:
        html: without scripts and styles, in which an entity would not be read as its character.
    """
    return html.translate({ord(sign): f"&#{ord(sign)};" for sign in EXPANDED_BY_GRADIO})


@lru_cache
def _environment() -> Environment:
    """Return the one environment; a name that is not there is an error, never an empty place."""
    environment = Environment(
        loader=PackageLoader(PANELS, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals["text"] = text
    return environment
