"""The template of translations, ``messages.pot``: every text that the report marks, in the order of the code.

Write it anew after a text has changed: ``python -m sla_kit.report.messages``.
"""

from __future__ import annotations

import io
from pathlib import Path

_HERE = Path(__file__).parent
TEMPLATE = _HERE / "messages.pot"
_KEYWORDS = {"_": None, "marked": None, "ngettext": (1, 2)}
_HEADER = r"""# The texts of sla-kit's report. Copy this to de.po (for German), set the header, fill in each msgstr.
# Names in {braces} are figures and names; keep them as they are. What is left empty stays English.
msgid ""
msgstr ""
"Project-Id-Version: sla-kit\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=UTF-8\n"
"Content-Transfer-Encoding: 8bit\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

"""


def template() -> str:
    """The content of ``messages.pot``, extracted from the code by Babel."""
    from babel.messages import Catalog
    from babel.messages.extract import extract_from_file
    from babel.messages.pofile import write_po

    catalog = Catalog()
    for path in sorted([*_HERE.rglob("*.py"), *_HERE.rglob("*.j2")]):
        method = "python" if path.suffix == ".py" else "jinja2.ext.babel_extract"
        options = {"trimmed": "true", "silent": "false"} if path.suffix == ".j2" else {}
        for _line, message, _comments, _context in extract_from_file(method, path, _KEYWORDS, options=options):
            catalog.add(message, locations=[(path.relative_to(_HERE).as_posix(), 0)])
    out = io.BytesIO()
    write_po(out, catalog, width=0, omit_header=True, include_lineno=False)
    return _HEADER + out.getvalue().decode()


if __name__ == "__main__":
    TEMPLATE.write_text(template(), encoding="utf-8")
