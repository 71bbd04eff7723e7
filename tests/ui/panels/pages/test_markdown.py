"""A bundle's own text as HTML: tables and headings, and nothing that acts or asks elsewhere."""

from __future__ import annotations

from jomed_app.ui.panels.pages.markdown import marked

CARD = """# Name

| system | accuracy |
|---|---|
| joint | 0.854 |

<script>alert(1)</script> <b onclick=x>b</b> ![p](https://example.org/p.png)
[a](javascript:alert(1)) [b](https://example.org)
"""


def test_headings_stand_below_those_of_the_page_and_tables_name_their_columns():
    html = marked(CARD).html
    assert "<h3>Name</h3>" in html
    assert '<th scope="col">system</th>' in html
    assert "<td>0.854</td>" in html


def test_nothing_in_it_acts():
    html = marked(CARD).__html__()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "<b" not in html.replace("<body", "")
    assert "<img" not in html
    assert 'href="javascript' not in html
